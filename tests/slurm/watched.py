"""The smoke study while it runs, and its trainings, which can be held half-way."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.e2e.project import Project, environment

PATIENCE = 1800  # seconds


class Run:
    """The study under way, or over, in a copy of the project."""

    def __init__(self, project: Project, options: list[str], variables: Mapping[str, str]) -> None:
        self.project = project
        self.log = project.root / "run.out"
        with self.log.open("wb") as out:
            self.process = subprocess.Popen(
                [*project.command()[:-2], *options],
                cwd=project.root,
                env=environment(project.root) | variables,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
            )

    @property
    def said(self) -> str:
        """All that Snakemake said so far."""
        return self.log.read_text(encoding="utf-8")

    def wait(self, ready: Callable[[], bool]) -> None:
        """Wait until something is so, while the study goes on."""
        until = time.monotonic() + PATIENCE
        while not ready():
            assert self.process.poll() is None and time.monotonic() < until, self.said[-6000:]
            time.sleep(0.002)

    def finish(self) -> None:
        """Wait until the study has ended well."""
        assert self.process.wait(PATIENCE) == 0, self.said[-6000:]


@contextmanager
def running(
    project: Project, options: list[str], variables: Mapping[str, str] | None = None
) -> Iterator[Run]:
    """The study, interrupted if it still runs when the block ends."""
    run = Run(project, options, variables or {})
    try:
        yield run
    finally:
        run.process.send_signal(signal.SIGINT)
        try:
            run.process.wait(120)
        except subprocess.TimeoutExpired:
            run.process.kill()
            run.process.wait()
            raise


class Training:
    """The pre-training with one method, of `total` steps."""

    total = 80

    def __init__(self, run: Run, method: str) -> None:
        self.run, self.method, self.held = run, method, 0
        logs = run.project.root / "results/smoke/logs/pretrain"
        self.log = logs / f"baron_pool.{method}.s0.log"

    def hold(self) -> int:
        """Stop the process in the midst of training, when the bar is drawn a second time; what
        it is called. `held` is then a step it has reached."""
        self.run.wait(lambda: len(self.processes()) > 0)
        (process,) = self.processes()
        self.inch(process, lambda: 0 in self.steps())
        time.sleep(1.2)  # the bar is drawn once a second
        self.inch(process, lambda: len(self.steps()) > 1)
        self.held = self.steps()[1]
        return process

    def inch(self, process: int, ready: Callable[[], bool]) -> None:
        """Let a process that is held run for moments until something is so; it is stopped then. It
        trains for less than a second, which a busy machine might not leave to whoever watches."""

        def moment() -> bool:
            os.kill(process, signal.SIGCONT)
            time.sleep(0.02)
            os.kill(process, signal.SIGSTOP)
            return ready()

        self.run.wait(moment)

    def steps(self) -> list[int]:
        """Steps done, at each time the last attempt drew its bar."""
        said = self.log.read_text(encoding="utf-8") if self.log.is_file() else ""
        return [int(done) for done in re.findall(rf" (\d+)/{self.total} ", said)]

    def processes(self) -> list[int]:
        """Processes that train with the method in this copy of the project."""
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                here = (folder / "cwd").readlink() == self.run.project.root
                words = (folder / "cmdline").read_bytes().decode().split("\0")
            except OSError:
                continue  # ended meanwhile, or somebody else's
            if here and words[1:2] == ["workflow/scripts/pretrain.py"]:
                found += [int(folder.name)] * (f'"method":"{self.method}"' in words[3])
        return found
