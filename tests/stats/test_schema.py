"""A column says which of its values are wrong, and what was needed."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from selfcell.stats.schema import Column


@pytest.mark.parametrize(
    ("column", "wrong", "needed"),
    [
        (Column("x", "number"), [math.nan, math.inf], "a finite number"),
        (Column("x", "number", minimum=0), [math.nan, math.inf, -1.0], "a finite number >= 0"),
        (Column("x", "number", nullable=True), [math.inf], "a finite number, or nothing"),
        (
            Column("x", "number", minimum=0, nullable=True),
            [math.inf, -1.0],
            "a finite number >= 0, or nothing",
        ),
        (Column("x", "integer", minimum=0), [math.nan, math.inf, -1.0, 0.5], "an integer >= 0"),
    ],
)
def test_numbers(column: Column, wrong: list[float], needed: str) -> None:
    values = pd.Series([0.0, 0.5, -1.0, math.nan, math.inf])
    bad_N, said = column.wrong(values)
    found = set(values[bad_N].astype(str))
    assert (found, said) == ({str(value) for value in wrong}, needed)
