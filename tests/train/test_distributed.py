"""Several processes train what one would; when one dies, all end and it is said why."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from selfcell.config import load_config
from selfcell.errors import ConfigError, StoreError
from selfcell.methods import METHODS
from selfcell.train import distributed, launch
from selfcell.train.checkpoint import Progress
from tests.train.trainee import trained
from tests.tree import REPO

TRAINEE, FAILING = (REPO / "tests" / "train" / f"{name}.py" for name in ("trainee", "failing"))


def run(*command: object) -> subprocess.CompletedProcess[str]:
    """A Python script, to its end."""
    words = [sys.executable, *map(str, command)]
    return subprocess.run(words, capture_output=True, text=True, timeout=240, check=False)


@pytest.mark.slow
def test_two_processes_train_every_method_as_one_would(tmp_path: Path) -> None:
    alone = trained()
    done = run(TRAINEE, 2, tmp_path / "two")
    assert done.returncode == 0, done.stderr
    together = load_file(tmp_path / "two")
    assert set(together) == {f"{name}/{what}" for name in METHODS for what in ("losses", "code")}
    for name, one in alone.items():
        error = (together[name] - one).norm() / one.norm()
        assert error < 1e-5, (name, error)


@pytest.mark.slow
@pytest.mark.parametrize("rank", [0, 1])
def test_a_killed_process_ends_all_and_is_named(rank: int) -> None:
    begun = time.monotonic()
    done = run(FAILING, 2, rank, "killed")
    assert done.returncode != 0 and time.monotonic() - begun < 50
    last = done.stderr.strip().splitlines()[-1]
    assert f"process {rank} of 2 was killed (SIGKILL)" in last
    assert "goes on from the last saved state" in last
    assert done.stderr.count("last words") == 1


@pytest.mark.slow
@pytest.mark.parametrize("status", [2, 75])
def test_the_status_of_a_process_is_that_of_all(status: int) -> None:
    done = run(FAILING, 2, 1, status)
    assert done.returncode == status, done.stderr
    assert ("process 1 of 2 said:\nlast words" in done.stderr) == (status == 2)


@pytest.mark.slow
def test_torchrun_itself_may_start_them_in_the_right_number() -> None:
    start = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=3"]
    done = run(*start, FAILING, 2, 0, 0)
    assert "torchrun started 3 processes; needed: 2" in done.stderr


def test_one_process_is_alone() -> None:
    before = torch.get_num_threads()
    distributed.enter(["script"], 1, cores=before)
    assert distributed.rank() == 0 and torch.get_num_threads() == before
    cost = {"cpu_s": 1.0, "gpu_s": 0.0, "peak_mb": 2.0}
    assert distributed.leave_but_first(cost) == cost


@pytest.mark.parametrize(
    ("gpus", "backend"), [(0, "gloo"), (2, "cpu:gloo,cuda:nccl"), (4, "cpu:gloo,cuda:nccl")]
)
def test_each_process_takes_a_gpu_where_there_are_any(
    gpus: int, backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert started(gpus, monkeypatch) == [1] * (gpus > 0) + [backend]


def test_fewer_gpus_than_processes_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="2 processes and 1 GPUs on a node; needed: a GPU for"):
        started(1, monkeypatch)


def started(gpus: int, monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """What the second of two processes chooses on a machine of so many make-believe GPUs."""
    chosen: list[object] = []
    ranks = {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "LOCAL_RANK": "1"}
    for name, value in {"TORCHELASTIC_RUN_ID": "run", **ranks}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "platform", "other")  # it shall not die with what runs the tests
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    monkeypatch.setattr(torch.cuda, "set_device", chosen.append)
    monkeypatch.setattr(torch.distributed, "init_process_group", chosen.append)
    monkeypatch.setattr(distributed.atexit, "register", lambda leave: None)
    distributed.enter(["script"], 2, cores=2 * torch.get_num_threads())
    return chosen


def test_processes_that_found_different_states_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = torch.nn.Linear(2, 2)
    descent = torch.optim.SGD(model.parameters(), lr=0.1)
    state = distributed.SharedState(tmp_path / "state", "key")
    state.save(Progress(step=7), model, descent)
    assert state.load(model, descent).step == 7
    monkeypatch.setattr(distributed, "max_across", lambda step: max(step, 3 if step > 0 else -3))
    with pytest.raises(StoreError, match="go on from step 3, others from 7; .*shared file system"):
        state.load(model, descent)


def test_nodes_take_slurm_and_as_many_processes_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    with pytest.raises(ConfigError, match="3 processes on 2 nodes"):
        launch.launch(["script"], 3, nodes=2)
    with pytest.raises(ConfigError, match="2 nodes outside of a Slurm job"):
        launch.launch(["script"], 2, nodes=2)


def test_the_batch_is_shared_equally(tmp_path: Path) -> None:
    text = (REPO / "configs" / "smoke.yaml").read_text(encoding="utf-8")
    (tmp_path / "three.yaml").write_text(
        text.replace("  batch: 64\n", "  batch: 64\n  processes: 3\n", 1)
    )
    with pytest.raises(
        ConfigError, match="64 cells over 3 processes; the batch must be a multiple"
    ):
        load_config(tmp_path / "three.yaml")


@pytest.mark.parametrize(
    ("status", "first"),
    [
        ({0: 75, 1: -9}, 1),
        ({0: -15, 1: 2}, 1),
        ({0: 2, 1: 2}, 0),
        ({0: 75, 1: 75}, 0),
        ({0: -15, 1: 75}, 1),
        ({0: 1, 1: -11}, 1),
    ],
)
def test_the_cause_is_told_from_what_follows(status: dict[int, int], first: int) -> None:
    assert launch._cause(status) == (first, status[first])


def test_an_error_that_is_no_lost_process_stays_itself() -> None:
    with pytest.raises(RuntimeError, match="connection closed"), distributed.together():
        raise RuntimeError("connection closed by peer")
