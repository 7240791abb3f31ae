"""Numbers that figures draw, as a small summary of each; `python -m tests.figures.golden` writes
the golden file anew, after a change of a figure or of the statistics that is meant."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
from matplotlib.collections import Collection, LineCollection, PathCollection
from matplotlib.figure import Figure

from tests.tree import REPO

GOLDEN = REPO / "tests/golden/figures.json"


def numbers(figure: Figure) -> list[dict[str, Any]]:
    """What each panel of a figure draws: its words, and of each kind of mark how many numbers
    there are, their mean, spread, and the first and last ones; four significant digits."""
    found = []
    for axes in _panels(figure):
        panel: dict[str, Any] = {"texts": [text.get_text() for text in axes.texts]}
        panel["ticks"] = [label.get_text() for label in axes.get_yticklabels()]
        for kind, values in _marks(axes).items():
            known = np.array(values, float).ravel()
            known = known[np.isfinite(known)]
            if len(known):
                edges = [*known[:3], *known[-3:], known.mean(), known.std()]
                panel[kind] = [len(known), *(float(f"{value:.4g}") for value in edges)]
        found.append(panel)
    return found


def _panels(figure: Figure) -> Iterator[Any]:
    for axes in figure.axes:
        if axes.get_visible():
            yield axes


def _marks(axes: Any) -> dict[str, list[float]]:
    """Coordinates of points, bars, lines, boxes and colours of a panel, in the order drawn."""
    marks: dict[str, list[float]] = {"points": [], "bars": [], "lines": [], "cells": []}
    for part in axes.collections:
        if isinstance(part, PathCollection):
            marks["points"] += np.asarray(part.get_offsets()).ravel().tolist()
        elif isinstance(part, LineCollection):
            for segment in part.get_segments():
                marks["bars"] += np.asarray(segment).ravel().tolist()
        elif isinstance(part, Collection) and part.get_array() is not None:
            marks["cells"] += np.asarray(part.get_array()).ravel().tolist()
    for line in axes.lines:
        marks["lines"] += np.asarray(line.get_xydata(), float).ravel().tolist()
    for patch in axes.patches:
        marks["cells"] += np.asarray(patch.get_path().vertices).ravel().tolist()
        marks["cells"] += list(patch.get_facecolor())
    return marks


def main() -> None:
    """Write the golden file from the made-up input tables."""
    sys.path.insert(0, str(REPO / "tests/stats"))
    from selfcell import figures
    from tests.figures.made import read_back

    found = {
        name: numbers(figures.module(name).draw(read_back(name, "small")))
        for name in figures.FIGURES
    }
    lines = [f" {json.dumps(name)}: {json.dumps(each)}" for name, each in found.items()]
    GOLDEN.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
