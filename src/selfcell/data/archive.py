"""Take one member out of a zip or tar archive, through archives within archives."""

from __future__ import annotations

import errno
import lzma
import shutil
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from selfcell.data.parse import nearest
from selfcell.errors import FetchError

# NotImplementedError: an unknown compression; RuntimeError: an encrypted member; ValueError: sizes.
DAMAGED = (
    *(zipfile.BadZipFile, tarfile.TarError, EOFError, zlib.error, lzma.LZMAError),
    *(NotImplementedError, RuntimeError, ValueError),
)


def extract(archive: Path, member: Sequence[str], to: Path) -> None:
    """Write the member's bytes to `to`. No path within the archive is ever used as a path on disk.

    Args:
        archive: zip (a wheel is one) or tar, compressed or not.
        member: name within the archive; further names descend into it.
        to: the file to write.

    Raises:
        FetchError: no archive or a damaged one, no such member, no plain file, or a name that
            leaves the archive. OSError: the disk's own.
    """
    with tempfile.TemporaryDirectory(dir=to.parent, prefix=".inner.") as folder:
        outer = archive
        for depth, name in enumerate(member[:-1]):
            inner = Path(folder) / str(depth)
            _take(outer, name, inner)
            outer = inner
        _take(outer, member[-1], to)


def _take(archive: Path, name: str, to: Path) -> None:
    pure = PurePosixPath(name)
    if pure.is_absolute() or ".." in pure.parts:
        raise FetchError(f"member name {name!r} leaves its archive", "a path within it")
    try:
        if zipfile.is_zipfile(archive):
            _take_zip(archive, name, to)
        elif tarfile.is_tarfile(archive):
            _take_tar(archive, name, to)
        else:
            raise FetchError(f"{archive.name} is no archive", "zip or tar")
    except (*DAMAGED, OSError) as error:
        # Of the disk. What libraries raise about bytes has no number, or is of a place before 0.
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
            raise
        raise FetchError(f"{name} of {archive.name} cannot be read: {error}") from error


def _take_zip(archive: Path, name: str, to: Path) -> None:
    with zipfile.ZipFile(archive) as opened:
        if name not in opened.namelist() or name.endswith("/"):
            raise _absent(archive, name, opened.namelist())
        with opened.open(name) as source, open(to, "wb") as target:
            shutil.copyfileobj(source, target, 1 << 20)


def _take_tar(archive: Path, name: str, to: Path) -> None:
    with tarfile.open(archive) as opened:
        names = opened.getnames()
        if name not in names:
            raise _absent(archive, name, names)
        entry = opened.getmember(name)
        source = opened.extractfile(entry) if entry.isfile() else None
        if source is None:
            raise FetchError(f"{name} of {archive.name} is no plain file", "a file")
        with source, open(to, "wb") as target:
            shutil.copyfileobj(source, target, 1 << 20)


def _absent(archive: Path, name: str, names: Sequence[str]) -> FetchError:
    near = nearest(name, names) if len(names) < 10_000 else ""
    return FetchError(f"{archive.name} holds no file {name!r}", near[:300])
