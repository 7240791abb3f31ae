"""Colours that stand for something are told apart under the colour-vision deficiencies.

Deficiencies as Machado, Oliveira & Fernandes (2009) simulate them, severity 1; distance is CIE 1976
(a just noticeable difference is about 2.3).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import pytest

from selfcell.figures import embedding, pretexts, style

APART = 9.0
SEEN = {
    "normal": np.eye(3),
    "protan": [
        [0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deutan": [
        [0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritan": [
        [1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}  # fmt: skip
XYZ = [[0.4125, 0.3576, 0.1804], [0.2127, 0.7152, 0.0722], [0.0193, 0.1192, 0.9503]]
WHITE = [0.95047, 1.0, 1.08883]


def lab(colour: str, seen: object) -> np.ndarray:
    """CIE Lab of a colour "#rrggbb" as somebody sees it."""
    code = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    linear = np.where(code <= 0.04045, code / 12.92, ((code + 0.055) / 1.055) ** 2.4)
    xyz = np.array(XYZ) @ np.clip(np.array(seen) @ linear, 0, 1) / WHITE
    x, y, z = np.where(xyz > 216 / 24389, np.cbrt(xyz), (24389 / 27 * xyz + 16) / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def nearest(colours: Sequence[str], seen: str) -> float:
    """Distance of the two colours that are nearest to each other."""
    found = [lab(colour, SEEN[seen]) for colour in colours]
    return min(float(np.linalg.norm(a - b)) for a, b in combinations(found, 2))


@pytest.mark.parametrize("seen", SEEN)
@pytest.mark.parametrize(
    "colours",
    [embedding.PALETTE, embedding.BATCH_PALETTE, tuple(dict.fromkeys(style.ARM_COLOURS.values()))],
    ids=["types", "batches", "arms"],
)
def test_colours_are_told_apart(colours: Sequence[str], seen: str) -> None:
    assert nearest(colours, seen) > APART


def test_the_measure_knows_red_from_green() -> None:
    assert nearest(["#D62728", "#2CA02C"], "normal") > 50
    assert nearest(["#8C6D31", "#637939"], "deutan") < APART


def test_pretext_tasks_differ_in_colour_or_mark() -> None:
    looks = [*pretexts.LOOK.values(), *pretexts.SPARE, pretexts.CONTROL]
    assert len(looks) == len(set(looks))
