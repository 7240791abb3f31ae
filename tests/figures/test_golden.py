"""The numbers that each figure draws of one and the same table stay what they are."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from selfcell import figures
from tests.figures.golden import GOLDEN, numbers
from tests.figures.made import read_back

EXPECTED: dict[str, Any] = json.loads(GOLDEN.read_text(encoding="utf-8"))
# Column whose change every reader should see.
TELLING = {
    "contrasts": "difference", "gain_map": "difference", "claims": "ours", "programmes": "high",
    "label_efficiency": "mean", "arms": "value", "pretexts": "low", "cost": "cpu_s",
    "sweeps": "mean", "per_type": "difference", "confusion": "share", "reconstruction": "mean",
    "protein": "high", "integration": "mean", "unseen": "mean",
    "embedding": "umap1", "collapse": "effective_rank", "training": "value", "qc": "n_genes",
}  # fmt: skip


def assert_same(found: list[dict[str, Any]], expected: list[dict[str, Any]]) -> None:
    """Words alike, numbers alike to three parts in ten thousand (libraries differ in the last
    digits of a density)."""
    assert len(found) == len(expected)
    for panel, wanted in zip(found, expected, strict=True):
        assert panel.keys() == wanted.keys()
        for kind, values in panel.items():
            if kind in ("texts", "ticks"):
                assert values == wanted[kind]
            else:
                np.testing.assert_allclose(values, wanted[kind], rtol=3e-4, atol=1e-9)


@pytest.mark.parametrize("name", figures.FIGURES)
def test_numbers_drawn_are_the_golden_ones(name: str) -> None:
    assert_same(numbers(figures.module(name).draw(read_back(name, "small"))), EXPECTED[name])


@pytest.mark.parametrize("name", figures.FIGURES)
def test_a_changed_number_is_seen(name: str) -> None:
    frame = read_back(name, "small").copy()
    values = frame[TELLING[name]].astype(float)
    frame[TELLING[name]] = values * 1.01
    with pytest.raises(AssertionError):
        assert_same(numbers(figures.module(name).draw(frame)), EXPECTED[name])
