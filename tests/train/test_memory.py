"""Memory that was freed stays with the process where the C library can do that."""

import platform
import subprocess
import sys

import pytest

from selfcell.train import memory

# Pages that the system brings in while 64 MB are allocated, written and freed ten times.
PROGRAM = """
import ctypes, resource
from selfcell.train.memory import keep_memory
if {keep}: assert keep_memory()
libc, size = ctypes.CDLL(None), 2**26
libc.malloc.restype, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
def use():
    block = libc.malloc(ctypes.c_size_t(size))
    ctypes.memset(block, 1, size)
    libc.free(block)
use()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10): use()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="not glibc")
def test_large_blocks_are_reused():
    faults = [
        int(subprocess.check_output([sys.executable, "-c", PROGRAM.format(keep=keep)]))
        for keep in (False, True)
    ]
    assert faults[1] < faults[0] / 10


def test_another_c_library_is_left_alone(monkeypatch):
    monkeypatch.setattr(memory.ctypes, "CDLL", lambda name: object())
    assert memory.keep_memory() is False
