"""Two processes are one: losses, gradients and steps agree to 1e-5 relative."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests.methods.ranks import CASES, TRAINED, changes, gradients


@pytest.mark.slow
def test_two_ranks_equal_one(tmp_path: Path, repo: Path) -> None:
    command = [sys.executable, "-m", "tests.methods.ranks"]
    files = [tmp_path / f"rank{rank}" for rank in range(2)]
    jobs = [
        subprocess.Popen([*command, str(rank), "2", str(tmp_path / "meeting"), str(file)], cwd=repo)
        for rank, file in enumerate(files)
    ]
    alone = gradients(0, 1) | changes(0, 1)
    try:
        assert [job.wait(timeout=120) for job in jobs] == [0, 0]
    finally:
        for job in jobs:
            job.kill()
            job.wait()
    together = [load_file(file) for file in files]
    assert set(together[0]) == {*CASES, *(f"{name}/loop" for name in TRAINED)}
    for case, one in alone.items():
        assert torch.equal(together[0][case], together[1][case])
        two = together[0][case]
        assert two[0].item() == pytest.approx(one[0].item(), rel=1e-5), case
        assert ((two - one)[1:].norm() / one[1:].norm()).item() < 1e-5, case
