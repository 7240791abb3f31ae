"""Lineage-aware scores by hand on six terms, and on the real Cell Ontology."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from selfcell.metrics import lineage
from selfcell.metrics.lineage import Lineage
from selfcell.metrics.ontology import read
from tests.metrics.factory import write_json

# Labels; D2 shares its term with D, U has none, O's id is obsolete and stands for D's term.
IDS = {"A": "T:a", "B": "T:b", "C": "T:c", "D": "T:d", "D2": "T:d", "E": "T:e", "O": "T:old"}
CLASSES = ["A", "B", "C", "D", "E", "U"]
A, B, C, D, E, U = range(6)
IC_A, IC_B = 1 - math.log(4) / math.log(6), 1 - math.log(2) / math.log(6)


@pytest.fixture
def view(tmp_path: Path) -> Lineage:
    return Lineage.of(CLASSES, IDS, read(write_json(tmp_path / "toy.json")))


def test_descendants_count_as_right_and_ancestors_do_not(view: Lineage) -> None:
    true = np.array([A, A, B, D, C, U, U, E, U])
    predicted = np.array([D, E, A, B, D, U, A, -1, -1])
    assert view.forgive(true, predicted).tolist() == [A, E, A, B, C, U, A, -1, -1]


def test_similarity_by_hand(view: Lineage) -> None:
    true, predicted = np.array([B, A, D, U, U, U]), np.array([C, A, B, A, U, -1])
    expected = [2 * IC_A / (2 * IC_B), 1, 2 * IC_B / (1 + IC_B), 0, 1, 0]
    assert view.similarity(true, predicted) == pytest.approx(expected)
    assert np.array_equal(view.similarity_KK, view.similarity_KK.T)


def test_scores_by_hand(view: Lineage) -> None:
    true, predicted = np.array([A, A, A, B]), np.array([D, A, E, A])
    values = lineage.score(true, predicted, view)
    # After forgiving: A A E A against A A A B: F1(A) = 2*2/(3+3), F1(B) = 0.
    assert values["lineage_macro_f1"] == pytest.approx((2 / 3 + 0) / 2)
    assert values["lineage_micro_f1"] == pytest.approx(2 / 4)
    ad, ba = 2 * IC_A / (IC_A + 1), 2 * IC_A / (IC_A + IC_B)
    assert values["lin_micro"] == pytest.approx((ad + 1 + 0 + ba) / 4)
    assert values["lin_macro"] == pytest.approx(((ad + 1 + 0) / 3 + ba) / 2)


def test_unmapped_obsolete_and_shared_terms_are_reported(tmp_path: Path) -> None:
    ontology = read(write_json(tmp_path / "toy.json"))
    view = Lineage.of(["A", "D", "D2", "O", "U"], IDS, ontology)
    assert view.unmapped == ["U"]
    assert view.shared == [["D", "D2", "O"]]
    assert view.forgive(np.array([1]), np.array([2])).tolist() == [1]


@pytest.fixture(scope="session")
def cell_ontology() -> Path:
    """The pinned Cell Ontology, through the study's own download and cache."""
    from selfcell.data.fetch import cache_dir, mirror_list, obtain
    from selfcell.data.registry import Registry
    from selfcell.provenance import ROOT

    registry = Registry.load(ROOT / "resources" / "datasets.yaml")
    return obtain(registry.reference("cell_ontology").source, cache_dir(), mirror_list())


@pytest.mark.slow
def test_real_labels_on_the_real_ontology(cell_ontology: Path) -> None:
    from selfcell.provenance import ROOT

    ontology = read(cell_ontology)
    ids = json.loads((ROOT / "resources" / "label_to_cl.json").read_text())
    for labels in ids.values():
        assert not Lineage.of(list(labels), labels, ontology).unmapped
    kang = Lineage.of(list(ids["kang"]), ids["kang"], ontology)
    assert kang.shared == [["B", "B Activated"]]
    pbmc = Lineage.of(["CD4 T", "NK", "naive"], {**ids["pbmc3k"], "naive": "CL:0000895"}, ontology)
    assert pbmc.within_KK.tolist() == [[1, 0, 1], [0, 1, 0], [0, 0, 1]]
    assert pbmc.similarity_KK[0, 2] > pbmc.similarity_KK[0, 1]
