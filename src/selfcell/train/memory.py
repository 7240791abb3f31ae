"""Keeping freed memory for the next step instead of handing it back to the system."""

from __future__ import annotations

import ctypes

_TRIM_THRESHOLD, _MMAP_MAX = -1, -4  # names of settings in glibc's malloc.h
_MOST = 2**31 - 1


def keep_memory() -> bool:
    """Ask the C library to reuse large blocks that were freed; True if it agreed.

    Every step allocates and frees the same large tensors. glibc returns each to the system, which
    clears it page by page when the next step asks again: up to half of a step's time. From now on
    the process keeps its peak until it ends. Other C libraries are left alone.
    """
    try:
        set_option = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # not glibc
        return False
    return bool(set_option(_MMAP_MAX, 0)) and bool(set_option(_TRIM_THRESHOLD, _MOST))
