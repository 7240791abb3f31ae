"""Cells that are drawn: fixed samples and a fixed layout."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from selfcell.figures import embedding, qc
from tests.figures.made import cells, quality


def test_a_sample_of_cells_is_fixed() -> None:
    many = pd.concat([cells()] * 8, ignore_index=True)
    first, second = embedding.summary(many), embedding.summary(many)
    pd.testing.assert_frame_equal(first, second)
    assert first.groupby(["target", "method"]).size().max() == embedding.CELLS
    sample = qc.summary(quality())
    kept = (quality()["kang"].reason == "").sum()
    assert (sample.n_kept[sample.dataset == "kang"] == kept).all()


@pytest.mark.slow
def test_layout_is_two_dimensional_and_repeats() -> None:
    code = np.random.default_rng(0).normal(size=(60, 8))
    first, second = embedding.layout(code, 3), embedding.layout(code, 3)
    assert first.shape == (60, 2)
    np.testing.assert_array_equal(first, second)
