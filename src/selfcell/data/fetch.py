"""Fetch pinned files into the cache: mirrors first, then the package registry or the address.

Nothing is used before its sha256 is right, and nothing is seen in the cache before it is
complete: a file is made under a temporary name and renamed. One process fetches, others that want
the same file wait for it. A file that comes truncated or altered is refused and asked for once
more; then FetchError names both sums.
"""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from selfcell.data.archive import extract
from selfcell.data.registry import Artefact, Source
from selfcell.data.transport import download_http, download_package
from selfcell.errors import FetchError
from selfcell.job import atomic
from selfcell.provenance import sha256_file

log = logging.getLogger("selfcell")


@dataclass(frozen=True)
class Patience:
    """How long to wait for what.

    Attributes:
        stall_s: seconds without a byte after which a connection is given up.
        tries: attempts at one address when it fails or breaks off.
        backoff_s: seconds before the second attempt; doubles with each one.
        lock_s: seconds to wait for another process that fetches the same file.
    """

    stall_s: float = 30.0
    tries: int = 4
    backoff_s: float = 1.0
    lock_s: float = 1800.0


def cache_dir(configured: str = "") -> Path:
    """The cache: the configured folder, else $SELFCELL_CACHE, else ~/.cache/selfcell."""
    chosen = configured or os.environ.get("SELFCELL_CACHE") or "~/.cache/selfcell"
    return Path(chosen).expanduser()


def mirror_list(configured: Sequence[str] = ()) -> tuple[str, ...]:
    """Mirrors in the order they are tried: the configured ones, then $SELFCELL_MIRRORS.

    The variable separates folders and http(s) addresses by commas, or by `:` where the next
    entry is no address's `//`.
    """
    found = list(configured)
    for chunk in os.environ.get("SELFCELL_MIRRORS", "").split(","):
        parts = chunk.strip().split(os.pathsep)
        while parts:
            part = parts.pop(0)
            if part in ("http", "https") and parts and parts[0].startswith("//"):
                part = f"{part}:{parts.pop(0)}"
                if parts and parts[0].split("/")[0].isdigit():
                    part = f"{part}:{parts.pop(0)}"
            if part:
                found.append(part)
    return tuple(dict.fromkeys(found))


def fetch(
    artefact: Artefact,
    cache: Path,
    mirrors: Sequence[str] = (),
    patience: Patience = Patience(),
) -> Path:
    """Path of the artefact's verified file; fetched if the cache does not hold it.

    A local artefact is used where it stands.

    Raises:
        FetchError: no source gives the pinned file.
    """
    if artefact.kind == "local":
        return _local(artefact)
    if not artefact.sha256:
        artefact = artefact.model_copy(
            update={"sha256": _first_sum(artefact, Path(cache), mirrors, patience)}
        )
    target = Path(cache) / "artefacts" / artefact.sha256[:16] / artefact.file

    def make(part: Path) -> None:
        _from_anywhere(artefact, part, mirrors, patience)

    return _cached(target, artefact.sha256, make, patience)


def obtain(
    source: Source,
    cache: Path,
    mirrors: Sequence[str] = (),
    patience: Patience = Patience(),
) -> Path:
    """Path of the source's verified file: the artefact, or its member taken out into the cache.

    Raises:
        FetchError: as `fetch`, or the archive lacks the member, or the member is not the pinned.
    """
    if not source.member:
        return fetch(source.artefact, cache, mirrors, patience)
    target = Path(cache) / "members" / source.sha256[:16] / source.file

    def make(part: Path) -> None:
        archive = fetch(source.artefact, cache, mirrors, patience)
        extract(archive, source.member, part)
        got = sha256_file(part)
        if got != source.sha256:
            raise FetchError(
                f"member {source.member[-1]} of {archive.name} has sha256 {got}",
                source.sha256,
                "correct the member or its sha256 in the registry",
            )

    return _cached(target, source.sha256, make, patience)


def _first_sum(artefact: Artefact, cache: Path, mirrors: Sequence[str], patience: Patience) -> str:
    """Sum of a file of CELLxGENE that nobody pinned: of the first copy that came whole, which is
    put into the cache and its sum beside, so that no other copy is ever taken for it."""
    import h5py

    note = cache / "cellxgene" / f"{artefact.dataset}.sha256"
    note.parent.mkdir(parents=True, exist_ok=True)
    with _lock(note, patience.lock_s):
        if note.exists():
            return note.read_text(encoding="utf-8").strip()
        part = note.with_name(f".{artefact.file}.part")
        try:
            _from_anywhere(artefact, part, mirrors, patience)
            try:
                h5py.File(part, "r").close()  # a file cut short does not open
            except OSError as error:
                got = f"{artefact.url} gave no whole h5ad ({error})"
                raise FetchError(got, "an HDF5 file", "check the id, then run again") from error
            found = sha256_file(part)
            target = cache / "artefacts" / found[:16] / artefact.file
            target.parent.mkdir(parents=True, exist_ok=True)
            os.replace(part, target)
        finally:
            part.unlink(missing_ok=True)
        log.info("%s has sha256 %s; `sha256:` pins it", artefact.file, found)
        with atomic(note) as temporary:
            temporary.write_text(found + "\n", encoding="utf-8")
    return found


def _local(artefact: Artefact) -> Path:
    path = Path(artefact.path).expanduser().resolve()
    if not path.exists():
        raise FetchError(f"there is no {path}", "an existing file or folder", "correct the path")
    if artefact.sha256:
        if path.is_dir():
            raise FetchError(f"{path} is a folder", "a file, since its sha256 is given")
        got = sha256_file(path)
        if got != artefact.sha256:
            raise FetchError(
                f"{path} has sha256 {got}",
                artefact.sha256,
                "restore the file, or correct the sha256 if the change is meant",
            )
    return path


def _cached(target: Path, expected: str, make: Callable[[Path], None], patience: Patience) -> Path:
    """`target` if it is whole, else made by `make` under a temporary name and moved there."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with _lock(target, patience.lock_s):
        if target.exists():
            if sha256_file(target) == expected:
                return target
            log.warning("%s in the cache is damaged; fetching it again", target)
            target.unlink()
        part = target.with_name(f".{target.name}.part")
        try:
            make(part)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
        os.replace(part, target)
    return target


@contextmanager
def _lock(target: Path, wait_s: float) -> Iterator[None]:
    """Hold the file's lock; the kernel releases it if the process dies."""
    until, told = time.monotonic() + wait_s, False
    with open(target.with_name(f".{target.name}.lock"), "w") as handle:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > until:
                    raise FetchError(
                        f"another process has held {target.name} for {wait_s:g} s",
                        "a free cache entry",
                        "end that process, or wait until it is done",
                    ) from None
            if not told:
                log.info("waiting for another process that fetches %s", target.name)
                told = True
            time.sleep(0.1)
        yield


def _from_anywhere(
    artefact: Artefact, part: Path, mirrors: Sequence[str], patience: Patience
) -> None:
    """Fill `part` from the first place that gives the pinned file; each place gets two chances
    to give the right sum, since a bad transfer is as likely as a bad file."""
    faults = []
    for place in (*mirrors, ""):
        for attempt in range(2):
            try:
                _from_place(artefact, part, place, patience, fresh=attempt > 0)
            except FetchError as error:
                faults.append(f"{place or artefact.kind}: {error.got}")
                part.unlink(missing_ok=True)
                break
            got = sha256_file(part)
            if got == artefact.sha256 or not artefact.sha256:
                return
            part.unlink()
            fault = f"{place or artefact.kind} gave sha256 {got}"
            log.warning("%s: %s, not %s", artefact.file, fault, artefact.sha256)
            faults.append(fault)
    raise FetchError(
        f"{artefact.file} could not be fetched ({'; '.join(dict.fromkeys(faults))})",
        f"sha256 {artefact.sha256}",
        "check the network, or put the file into a folder named by `mirrors:` or SELFCELL_MIRRORS",
    )


def _from_place(
    artefact: Artefact, part: Path, place: str, patience: Patience, fresh: bool
) -> None:
    """Try one mirror, or with an empty `place` the origin. `fresh`: by-pass caches on the way."""
    size = round(artefact.size_mb * 1e6)
    if place.startswith(("http://", "https://")):
        address = f"{place.rstrip('/')}/{artefact.file}"
        download_http(address, part, size, patience)
    elif place:
        found = Path(place).expanduser() / artefact.file
        if not found.is_file():
            raise FetchError(f"no {artefact.file} in the folder")
        shutil.copyfile(found, part)
    elif artefact.kind == "registry":
        download_package(artefact, part, size, fresh)
    else:
        download_http(artefact.url, part, size, patience)
