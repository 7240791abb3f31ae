"""What every script shares: exit codes, one-line errors, outputs that are whole or absent."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from selfcell import job

SCRIPT = """
import argparse, os, sys
from selfcell import job
from selfcell.errors import DataError

def main(args):
    {body}

job.run(main, argparse.ArgumentParser())
"""


def run(body: str, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", SCRIPT.format(body=body), *options]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_users_error_is_one_line_and_exit_code_2() -> None:
    body = "raise DataError('no\\n cells', 'some', 'give some')"
    done = run(body)
    assert done.returncode == 2
    assert done.stderr == "error: no cells; needed: some; remedy: give some\n"
    assert "Traceback" in run(body, "--debug").stderr


def test_an_interrupt_is_one_line_and_exit_code_130() -> None:
    listen = "import signal, time\n    signal.signal(signal.SIGINT, signal.default_int_handler)\n"
    body = listen + "    os.kill(os.getpid(), signal.SIGINT)\n    time.sleep(60)"
    done = run(body)
    assert (done.returncode, done.stderr) == (130, "interrupted\n")
    assert "Traceback" in run(body, "--debug").stderr
    assert run("raise KeyboardInterrupt('go on')").stderr == "interrupted; go on\n"


def test_a_mistake_of_ours_is_a_traceback_and_exit_code_1() -> None:
    done = run("raise KeyError('x')")
    assert (done.returncode, done.stdout) == (1, "")
    assert "KeyError: 'x'" in done.stderr


def test_what_the_system_refuses_is_said_once() -> None:
    again = "class Again:\n        def __del__(self): raise OSError(28, 'no space')\n"
    done = run(again + "    once = Again()\n    raise OSError(28, 'no space', 'x.h5')")
    assert done.returncode == 2
    assert done.stderr == (
        "error: No space left on device: x.h5; remedy: free some disk space, then run again\n"
    )


def test_what_is_dropped_is_no_other_error() -> None:
    done = run("class Bad:\n        def __del__(self): raise KeyError('lost')\n    Bad()")
    assert "KeyError: 'lost'" in done.stderr


def test_threads_are_limited_before_anything_is_imported() -> None:
    done = run("print(os.environ['OMP_NUM_THREADS'], 'numpy' in sys.modules)", "--threads", "3")
    assert done.stdout == "3 False\n"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.EACCES, "told", "out/a"), "Permission denied: out/a; remedy: make it"),
        (OSError(errno.ENOSPC, "told", "from/a", None, "to/a"), "No space left on device: to/a"),
        (RuntimeError(f"sync failed: {os.strerror(errno.ENOSPC)} (28)"), "remedy: free some disk"),
        (RuntimeError("alloc: error code 12 (Cannot allocate memory)"), "remedy: narrower layers"),
        (MemoryError("Unable to allocate 9 TiB"), "Unable to allocate 9 TiB; remedy: narrower"),
        (RuntimeError("CUDA out of memory. Tried 9 GiB"), "remedy: narrower layers"),
        (OSError("Truncated file"), ""),
        (KeyError("No such thing"), ""),
    ],
)
def test_fault(error: Exception, words: str) -> None:
    said = job._fault(error)
    assert words in said and bool(said) == bool(words)


def test_fault_looks_behind_an_error() -> None:
    error = ValueError("could not write")
    error.__cause__ = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert "No space left on device" in job._fault(error)
    error.__cause__ = OSError(errno.ENOENT, os.strerror(errno.ENOENT))
    assert job._fault(error) == ""


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_atomic_replaces_whole_or_not_at_all(kind: str, tmp_path: Path) -> None:
    def write(text: str, fail: bool = False) -> None:
        with job.atomic(tmp_path / "out") as path:
            if kind == "folder":
                path.mkdir()
                path = path / "inner"
            path.write_text(text)
            if fail:
                raise RuntimeError(text)

    def text() -> str:
        path = tmp_path / "out"
        return (path / "inner" if kind == "folder" else path).read_text()

    with pytest.raises(RuntimeError):
        write("none", fail=True)
    assert list(tmp_path.iterdir()) == []
    write("one")
    with pytest.raises(RuntimeError):
        write("two", fail=True)
    assert text() == "one"
    write("three")
    assert text() == "three"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_json_is_sorted_and_without_nan(tmp_path: Path) -> None:
    job.write_json({"b": 1, "a": 2}, tmp_path / "x.json")
    assert (tmp_path / "x.json").read_text() == '{\n "a": 2,\n "b": 1\n}\n'
    with pytest.raises(ValueError, match="JSON"):
        job.write_json({"a": float("nan")}, tmp_path / "y.json")
    assert not (tmp_path / "y.json").exists()


def test_a_gpu_that_a_process_took_is_its_cost(monkeypatch: pytest.MonkeyPatch) -> None:
    def torch(taken: bool) -> SimpleNamespace:
        cuda = SimpleNamespace(is_initialized=lambda: taken, get_device_name=lambda: "Some GPU")
        return SimpleNamespace(cuda=cuda)

    monkeypatch.setitem(sys.modules, "torch", torch(taken=True))
    read = job.Meter().read()
    assert job.gpu() == "Some GPU" and read["gpu_s"] == read["wall_s"]
    monkeypatch.setitem(sys.modules, "torch", torch(taken=False))
    assert job.gpu() == "" and job.Meter().read()["gpu_s"] == 0.0
    monkeypatch.delitem(sys.modules, "torch")
    assert job.gpu() == ""


def test_meter_counts_from_its_creation() -> None:
    read = job.Meter().read()
    assert 0 <= read["wall_s"] < 5 and read["cpu_s"] >= 0
    assert read["gpu_s"] == 0.0 and 5 < read["peak_mb"] < 50_000
