"""Can what a study has yet to fetch be had? The network is asked, nothing is fetched."""

from __future__ import annotations

import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from selfcell.data.artefacts import Artefact

WAIT_S = 15.0
AT_ONCE = 8
S3 = "https://{bucket}.s3.amazonaws.com/"


def out_of_reach(
    artefacts: Sequence[Artefact], mirrors: Sequence[str], wait_s: float = WAIT_S
) -> dict[str, str]:
    """Why artefacts cannot be had, by name; those that can are left out.

    An address is asked for its head, a package index for the package's versions. A slice of the
    Census is asked for at its address where that is of http; of an s3 store the bucket has to
    answer, whatever it says of its own list; a store of another kind is a folder.

    Args:
        mirrors: as `data.fetch.fetch` takes them; the ones of http are asked first.
        wait_s: seconds that one address may take.
    """
    places = [place for place in mirrors if place.startswith(("http://", "https://"))]

    def why(artefact: Artefact) -> str:
        for place in places:
            if not _head(f"{place.rstrip('/')}/{artefact.file}", wait_s):
                return ""
        if artefact.kind == "registry":
            return _indexed(artefact, wait_s)
        address = artefact.census.address if artefact.census else artefact.url
        if address.startswith("s3://"):
            return _head(S3.format(bucket=address.split("/")[2]), wait_s, refused=True)
        if "://" not in address:
            return "" if Path(address).exists() else f"{address}: no such folder"
        return _head(address, wait_s)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        reasons = list(pool.map(why, artefacts))
    pairs = zip(artefacts, reasons, strict=True)
    return {artefact.name: reason for artefact, reason in pairs if reason}


def _head(address: str, wait_s: float, refused: bool = False) -> str:
    """Empty where there is an answer, else what came instead; `refused`: to be forbidden to look,
    or sent elsewhere, is an answer."""
    headers = {"User-Agent": "selfcell"}
    request = urllib.request.Request(address, headers=headers, method="HEAD")
    try:
        with urllib.request.urlopen(request, timeout=wait_s):
            return ""
    except urllib.error.HTTPError as error:
        if refused and error.code in (301, 307, 400, 403):
            return ""
        return f"{address}: {error.code} {error.reason}"
    except OSError as error:  # no route, no name, no answer in time
        return f"{address}: {getattr(error, 'reason', error)}"


def _indexed(artefact: Artefact, wait_s: float) -> str:
    """Empty where pip's index holds the version; pip is asked, with its own settings."""
    command = [sys.executable, "-m", "pip", "index", "versions", artefact.package]
    command += ["--disable-pip-version-check", "--no-input", "--timeout", f"{wait_s:g}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    held = done.stdout.replace(",", " ").split()
    if done.returncode == 0 and artefact.version in held:
        return ""
    said = [line for line in done.stderr.splitlines() if line.startswith("ERROR: ")]
    reason = said[-1].removeprefix("ERROR: ") if said else "the index does not hold that version"
    return f"{artefact.package}=={artefact.version}: {reason}"
