"""One writer of a folder at a time, and nothing half-written under its name."""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from selfcell.errors import StoreError

log = logging.getLogger("selfcell")

NO_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP)


@contextmanager
def exclusive(path: Path | str) -> Iterator[Path]:
    """Yield an empty folder beside `path` and move it into place if the block succeeds.

    As `job.atomic`, but for folders that take hours to write: a second process that wants to write
    the same folder is told so, and what a killed process left is discarded by the next one (the
    system drops the lock of a process that dies). Where the file system has no locks, a warning
    says that nobody watches.

    Raises StoreError while another process writes.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    holder = path.parent / f".{path.name}.unfinished"
    holder.mkdir(exist_ok=True)
    # A file, opened for writing: network file systems lock nothing else.
    lock = os.open(holder / ".lock", os.O_RDWR | os.O_CREAT)
    try:
        _lock(lock, holder / ".lock", path)
        try:
            for left in (".replaced", path.name):
                shutil.rmtree(holder / left, ignore_errors=True)
            fresh = holder / path.name
            fresh.mkdir()
            yield fresh
            if path.is_dir():
                os.replace(path, holder / ".replaced")
            os.replace(fresh, path)
        finally:
            shutil.rmtree(holder, ignore_errors=True)
    finally:
        os.close(lock)


def _lock(handle: int, file: Path, path: Path) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise StoreError(
            f"another process is writing {path}", "one writer", "wait for it, or stop it"
        ) from error
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise
        log.warning("%s: no locks here (%s); start one writer only", path, error.strerror)
    # Between the opening and the lock, the writer before may have finished and removed the file.
    if not file.exists() or os.stat(file).st_ino != os.fstat(handle).st_ino:
        raise StoreError(f"another process has just written {path}", "one writer", "run again")
