"""Reading ontologies, and information content by hand."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from selfcell.errors import DataError
from selfcell.metrics.ontology import Ontology, read
from tests.metrics.factory import ANCESTORS, OBO, graph, write_json


@pytest.fixture
def toy(tmp_path: Path) -> Ontology:
    return read(write_json(tmp_path / "toy.json"))


def test_every_format_reads_alike(tmp_path: Path, toy: Ontology) -> None:
    (tmp_path / "toy.obo").write_text(OBO)
    packed = read(write_json(tmp_path / "toy.json.zst", packed=True))
    obo = read(tmp_path / "toy.obo")
    (tmp_path / "graph.json").write_text(json.dumps(graph()))
    graphs = read(tmp_path / "graph.json")
    assert toy.ancestors == packed.ancestors == obo.ancestors == graphs.ancestors
    assert graphs.names == toy.names and graphs.replaced == toy.replaced
    assert toy.ancestors == {term: frozenset(above) for term, above in ANCESTORS.items()}
    assert toy.replaced == obo.replaced == {"T:old": "T:d"}
    assert obo.names["T:a"] == "a cell: of kind a"


def test_relations(toy: Ontology) -> None:
    assert toy.is_within("T:d", "T:a")
    assert toy.is_within("T:d", "T:d")
    assert not toy.is_within("T:a", "T:d")
    assert not toy.is_within("T:c", "T:e")
    assert toy.resolve("T:old") == "T:d"
    assert toy.resolve("T:nothing") is None
    assert dict(toy.descendants) == {"T:root": 5, "T:a": 3, "T:b": 1, "T:c": 1, "T:d": 0, "T:e": 0}


def test_information_by_hand(toy: Ontology) -> None:
    assert toy.information("T:root") == pytest.approx(0.0)
    assert toy.information("T:d") == 1.0
    assert toy.information("T:a") == pytest.approx(1 - math.log(4) / math.log(6))
    assert toy.information("T:b") == pytest.approx(1 - math.log(2) / math.log(6))


def test_lin_by_hand(toy: Ontology) -> None:
    a, b = 1 - math.log(4) / math.log(6), 1 - math.log(2) / math.log(6)
    assert toy.lin("T:b", "T:c") == pytest.approx(2 * a / (b + b))
    assert toy.lin("T:d", "T:b") == pytest.approx(2 * b / (1 + b))
    assert toy.lin("T:d", "T:b") == toy.lin("T:b", "T:d")
    assert toy.lin("T:d", "T:e") == 0.0
    assert toy.lin("T:root", "T:root") == 1.0
    assert toy.lin("T:root", "T:d") == 0.0


def write(tmp_path: Path, name: str, text: str) -> Path:
    (tmp_path / name).write_text(text)
    return tmp_path / name


@pytest.mark.parametrize(
    ("name", "text", "match"),
    [
        ("x.json", "{", "x.json"),
        ("x.json", "[]", "not a mapping"),
        ("x.json", '{"T:a": {"label": "a"}}', "not a mapping"),
        ("x.json", "{}", "no term"),
        ("x.json", json.dumps({"T:a": {"ancestors": {"T:z": 1}}}), "T:z"),
        ("x.json", json.dumps({"T:a": {"ancestors": {"T:a": 1}}}), "itself"),
        ("x.json", '{"graphs": [{}]}', "no OBO graph"),
        ("x.json", '{"graphs": 3}', "no OBO graph"),
        ("x.json", '{"graphs": []}', "no term"),
        ("x.json.zst", "not packed", "zst"),
        ("x.obo", "", "no .Term."),
        ("x.obo", "[Term]\nname: a\n", "without an id"),
        ("x.obo", "[Term]\nid: T:a\nis_a: T:b\n\n[Term]\nid: T:b\nis_a: T:a\n", "itself"),
        ("x.obo", "[Term]\nid: T:a\nis_a: T:z\n", "T:z"),
    ],
)
def test_broken_files_are_refused(tmp_path: Path, name: str, text: str, match: str) -> None:
    with pytest.raises(DataError, match=match):
        read(write(tmp_path, name, text))
