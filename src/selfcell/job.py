"""What every workflow script shares: its command line, its errors, its provenance card.

A script is `parse -> load -> one call -> save`. `run` gives it the common options, limits the
threads before anything heavy is imported, turns a user error into one line and exit code 2, and
leaves no partial output behind (`atomic`).
"""

from __future__ import annotations

import argparse
import ctypes
import errno
import json
import logging
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

from selfcell.errors import SelfcellError

log = logging.getLogger("selfcell")

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # malloc.h

_FREE = "free some disk space, then run again"
REMEDIES = {
    errno.ENOSPC: _FREE,
    errno.EDQUOT: _FREE,
    errno.EFBIG: "raise the limit on file sizes (ulimit -f), then run again",
    errno.EACCES: "make it writable, or choose another folder",
    errno.EPERM: "make it writable, or choose another folder",
    errno.EROFS: "make it writable, or choose another folder",
    errno.ENOMEM: "narrower layers, fewer cells or a smaller batch, or a machine with more memory",
    errno.ENOENT: "correct the path, or make the file first",
}


def run(
    main: Callable[[argparse.Namespace], None],
    parser: argparse.ArgumentParser,
    argv: Sequence[str] | None = None,
) -> None:
    """Parse the command line (or `argv`), run `main`, and exit: 0 done, 2 a user's error, 130
    interrupted, 1 anything else."""
    add_common(parser)
    args = parser.parse_args(argv)
    if args.threads < 1:
        parser.error(f"--threads {args.threads}; needed: at least 1")
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
        os.environ[name] = str(args.threads)
    _keep_pages()
    # The package's own messages; of the libraries' only warnings.
    logging.basicConfig(
        level=logging.WARNING, format="%(levelname)s %(message)s", stream=sys.stderr
    )
    log.setLevel(logging.INFO)
    if not args.debug:
        _say_once()
    try:
        main(args)
    except SelfcellError as error:
        if args.debug:
            raise
        sys.exit(_refuse(f"error: {error}"))
    except KeyboardInterrupt as error:
        if args.debug:
            raise
        _refuse(f"interrupted{'; ' if error.args else ''}{error}")
        sys.exit(130)  # as of a program that the signal ended
    except Exception as error:
        fault = _fault(error)
        if args.debug or not fault:
            raise
        _refuse(f"error: {fault}")
        sys.stderr.flush()
        # An ordinary exit lets HDF5 close the file that it could not write, and crash.
        os._exit(2)


def add_common(parser: argparse.ArgumentParser) -> None:
    """`--threads` and `--debug`."""
    threads = "CPU threads to use (default: 1), e.g. --threads 2"
    parser.add_argument("--threads", metavar="N", type=int, default=1, help=threads)
    debug = "show the traceback of an error (default: one line), e.g. --debug 2> error.txt"
    parser.add_argument("--debug", action="store_true", help=debug)


def _keep_pages() -> None:
    """Let the C library keep freed memory for the next allocation of its kind.

    glibc gives blocks of megabytes back and asks for them anew; a training step then spends a
    tenth of its time on fresh pages. Without glibc nothing changes.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, 32 << 20)  # the largest it takes
        mallopt(M_TRIM_THRESHOLD, 1 << 30)


def _say_once() -> None:
    """Drop what h5py says of each object it closes after the system refused a write: `run` says
    it, and lets no such error of its own get here."""

    def is_said(error: BaseException | None) -> bool:
        return error is not None and bool(_fault(error))

    def unraisable(args: sys.UnraisableHookArgs) -> None:
        if not is_said(args.exc_value):
            sys.__unraisablehook__(args)

    def uncaught(
        kind: type[BaseException], error: BaseException, trace: TracebackType | None
    ) -> None:
        if not is_said(error):
            sys.__excepthook__(kind, error, trace)

    sys.unraisablehook, sys.excepthook = unraisable, uncaught


def _fault(error: BaseException) -> str:
    """What the system refused and what to do about it; "" for any other error."""
    if isinstance(error, OSError) and error.errno is not None:
        remedy = REMEDIES.get(error.errno, "")
        place = error.filename2 or error.filename or "while writing"  # of a copy: its target
        return f"{os.strerror(error.errno)}: {place}" + (f"; remedy: {remedy}" if remedy else "")
    cause: BaseException | None = error
    while cause:
        if isinstance(cause, MemoryError) or "CUDA out of memory" in str(cause):
            said = " ".join(str(cause).split()) or os.strerror(errno.ENOMEM)
            return f"{said}; remedy: {REMEDIES[errno.ENOMEM]}"
        # Libraries written in other languages put the system's words into an error of their own.
        for number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.ENOMEM):
            if os.strerror(number) in str(cause):
                place = "" if number == errno.ENOMEM else ": while writing"
                return f"{os.strerror(number)}{place}; remedy: {REMEDIES[number]}"
        cause = cause.__cause__ or cause.__context__
    return ""


def _refuse(message: str) -> int:
    print(" ".join(message.split()), file=sys.stderr)
    return 2


@contextmanager
def atomic(path: Path | str) -> Iterator[Path]:
    """Yield a temporary path beside `path` and move it into place if the block succeeds.

    A file or a folder, whichever the block made. On an error the temporary is removed, and what
    stood at `path` before stays as it was.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    holder = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    temporary = holder / path.name
    try:
        yield temporary
        if temporary.is_dir() and path.is_dir():
            os.replace(path, holder / "replaced")
        os.replace(temporary, path)
    finally:
        _remove(holder)


def _remove(holder: Path) -> None:
    import shutil

    shutil.rmtree(holder, ignore_errors=True)


def write_json(value: object, path: Path | str) -> None:
    """Write JSON atomically: sorted keys, one final newline, no NaN."""
    with atomic(path) as temporary:
        text = json.dumps(value, indent=1, sort_keys=True, allow_nan=False)
        temporary.write_text(text + "\n")


def gpu() -> str:
    """Name of the GPU that this process took; "" for none, as where torch was never loaded."""
    torch = sys.modules.get("torch")
    taken = torch is not None and torch.cuda.is_initialized()
    return str(torch.cuda.get_device_name()) if torch and taken else ""


class Meter:
    """Wall, processor and GPU time and peak memory of the process, from its creation.

    GPU time is the wall time of a process that took a GPU, since nobody else has it meanwhile.
    Peak memory is the kernel's high-water mark of resident memory, in MiB.
    """

    def __init__(self) -> None:
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def read(self) -> dict[str, float]:
        """`wall_s`, `cpu_s`, `gpu_s` (seconds) since creation, `peak_mb` (MiB) of the process."""
        import resource

        wall = round(time.perf_counter() - self._wall, 3)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        unit = 1024.0 if sys.platform == "darwin" else 1.0
        return {
            "wall_s": wall,
            "cpu_s": round(time.process_time() - self._cpu, 3),
            "gpu_s": wall if gpu() else 0.0,
            "peak_mb": round(peak / unit / 1024.0, 1),
        }
