"""Whatever takes more than a few seconds shows a bar on standard error: how far, of how much."""

from __future__ import annotations

import functools
import hashlib
import http.server
import re
import threading
from pathlib import Path

import pytest
import torch
from torch import nn

from selfcell.data.fetch import fetch
from selfcell.data.registry import Artefact
from selfcell.methods.base import Batch
from selfcell.rng import Noise
from selfcell.train.loop import Plan, fit
from tests.tree import REPO


class Line(nn.Module):
    """A model to train for a few steps."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 4)

    def loss(self, batch: Batch) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        return self.layer(batch.x_BG).square().mean(), {}

    def after_step(self) -> None:
        pass


class Ones:
    """The same cells at every step."""

    def batch(self, step: int) -> Batch:
        x = torch.ones(2, 4)
        return Batch(x, x, torch.ones(2), Noise(0, step, torch.arange(2)))


def test_training_counts_its_steps(capsys: pytest.CaptureFixture[str]) -> None:
    model = Line()
    optimiser = torch.optim.AdamW(model.parameters())
    fit(model, Ones(), optimiser, Plan(7), title="random_mask kang seed 0")
    said = capsys.readouterr().err
    assert "random_mask kang seed 0: 100%" in said and "7/7" in said and "step" in said


def test_a_download_counts_its_bytes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    body = bytes(3_000_000)
    (tmp_path / "cells.bin").write_bytes(body)

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            pass

    handler = functools.partial(Quiet, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        entry = {"name": "x", "kind": "https", "file": "cells.bin", "size_mb": 3.0}
        entry |= {"url": f"http://127.0.0.1:{server.server_port}/cells.bin"}
        entry |= {"sha256": hashlib.sha256(body).hexdigest()}
        fetch(Artefact.model_validate(entry), tmp_path / "cache")
        server.shutdown()
    said = capsys.readouterr().err
    assert "cells.bin" in said and "3.00M" in said and "B/s" in said


BARS = [
    ("tasks/unseen.py", "draw"), ("metrics/integrate.py", "metric"), ("tasks/score.py", "draw"),
    ("baselines/base.py", "baseline"), ("stats/collect.py", "run"),
]  # fmt: skip


@pytest.mark.parametrize(("module", "unit"), BARS)
def test_work_of_seconds_is_counted(module: str, unit: str) -> None:
    text = (REPO / "src/selfcell" / module).read_text(encoding="utf-8")
    assert re.search(rf'tqdm\(.*unit="{unit}"', text)
