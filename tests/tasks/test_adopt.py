"""A ready model in a study: the same network, scored whatever its training was said to be."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import numpy as np
import pytest

from selfcell.errors import StoreError
from selfcell.tasks.adopt import adopt
from selfcell.tasks.model import load
from tests.tasks.test_model import GOLDENS, altered


@pytest.mark.parametrize("number", GOLDENS)
def test_a_model_of_every_format_is_taken(number: int, tmp_path: Path) -> None:
    adopt(GOLDENS[number], tmp_path / "m")
    before, after = load(GOLDENS[number]), load(tmp_path / "m")
    for name, value in before.encoder.state_dict().items():
        assert np.array_equal(after.encoder.state_dict()[name], value), name
    assert after.status == "ok" and after.about["gate"] == before.status
    assert after.gene_ids == before.gene_ids and after.about["run_hash"]


def test_another_gate_or_other_weights_are_another_run(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    golden = GOLDENS[max(GOLDENS)]
    adopt(golden, tmp_path / "a")
    other = altered(golden, tmp_path / "source", status="collapsed")
    with caplog.at_level(logging.WARNING, "selfcell"):
        adopt(other, tmp_path / "b")
    assert "marked 'collapsed' by the learning gate; it is scored anyway" in caplog.text
    assert load(tmp_path / "b").status == "ok"
    runs = {json.loads((tmp_path / n / "model.json").read_text())["run_hash"] for n in "ab"}
    assert len(runs) == 2


def test_a_damaged_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="format 9"):
        adopt(altered(GOLDENS[max(GOLDENS)], tmp_path / "m", format=9), tmp_path / "out")
