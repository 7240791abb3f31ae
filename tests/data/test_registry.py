"""The registry of data sources."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from selfcell.data.parse import nearest, parse
from selfcell.data.registry import Artefact, DatasetSpec, Registry
from selfcell.errors import ConfigError

SHIPPED = Path(__file__).parents[2] / "resources" / "datasets.yaml"
SHA = "0" * 64
SMALL = f"""
artefacts:
  box: {{kind: registry, package: box, version: "1", file: box.whl, sha256: "{SHA}"}}
datasets:
  blood:
    source: {{artefact: box, member: a/b.h5ad, sha256: "{SHA}"}}
    label: type
genesets: {{}}
references: {{}}
"""


def test_shipped_registry_is_valid_and_complete() -> None:
    registry = Registry.load(SHIPPED)
    assert {"kang", "pbmc3k", "baron", "kang_donors", "pbmc10k_cite", "bmmc_cite"} <= set(
        registry.datasets
    )
    assert {"msigdb_c8", "msigdb_tft", "msigdb_hallmark"} <= set(registry.genesets)
    for entry in [*registry.datasets.values(), *registry.genesets.values()]:
        assert entry.licence, entry.name
        assert entry.citation, entry.name
    for artefact in registry.artefacts.values():
        assert artefact.size_mb > 0


def test_shipped_labels_all_have_their_ontology_key() -> None:
    keys = json.loads((SHIPPED.parent / "label_to_cl.json").read_text())
    for spec in Registry.load(SHIPPED).datasets.values():
        assert not spec.ontology or spec.ontology in keys


def test_json_of_a_spec_reads_back() -> None:
    for spec in Registry.load(SHIPPED).datasets.values():
        assert DatasetSpec.from_json(spec.to_json()) == spec


def test_unknown_key_names_the_nearest(tmp_path: Path) -> None:
    path = tmp_path / "d.yaml"
    path.write_text(SMALL.replace("label:", "lable:"))
    with pytest.raises(ConfigError, match="datasets.blood.*'lable'; did you mean 'label'"):
        Registry.load(path)


def test_unknown_artefact_and_data_set_name_the_nearest(tmp_path: Path) -> None:
    path = tmp_path / "d.yaml"
    path.write_text(SMALL.replace("artefact: box", "artefact: bxo"))
    with pytest.raises(ConfigError, match="'bxo'.*did you mean 'box'"):
        Registry.load(path)
    path.write_text(SMALL)
    registry = Registry.load(path)
    with pytest.raises(ConfigError, match="'blod'.*did you mean 'blood'"):
        registry.dataset("blod")
    with pytest.raises(ConfigError, match="unknown reference 'genes'"):
        registry.reference("genes")


@pytest.mark.parametrize("text", ["- a\n- b\n", "a: [", ""])
def test_a_broken_file_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "d.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match="d.yaml"):
        Registry.load(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sha256": "12"}, "64 hexadecimal"),
        ({"file": "../x.whl"}, "plain file name"),
        ({"version": ""}, "needs version"),
        ({"kind": "ftp"}, "kind"),
        ({"kind": "https", "url": "file:///etc/passwd"}, "not an http"),
    ],
)
def test_artefact_refuses(change: dict[str, str], message: str) -> None:
    good = {"name": "a", "kind": "registry", "package": "p", "version": "1", "file": "p.whl"}
    with pytest.raises(ConfigError, match=message):
        parse(Artefact, {**good, "sha256": SHA, **change}, "here")


def test_a_member_needs_its_sum() -> None:
    artefact = {"name": "a", "kind": "local", "path": "a.zip"}
    data = {"name": "d", "source": {"artefact": artefact, "member": ["x"]}}
    with pytest.raises(ConfigError, match="'x' needs its sha256"):
        parse(DatasetSpec, data, "here")


def test_own_data() -> None:
    spec = DatasetSpec.own("mine", "cells.h5ad", label="type", layer="counts")
    assert (spec.label, spec.layer, spec.source.artefact.path) == ("type", "counts", "cells.h5ad")
    with pytest.raises(ConfigError, match="did you mean 'donor'"):
        DatasetSpec.own("mine", "cells.h5ad", doner="d")
    with pytest.raises(ConfigError, match="species"):
        DatasetSpec.own("mine", "cells.h5ad", species="mouse")
    with pytest.raises(ConfigError, match="donor and one_donor: .*; give one"):
        DatasetSpec.own("mine", "cells.h5ad", donor="who", one_donor=True)


def test_size_is_measured_of_what_is_there_and_else_looked_up(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    for part in (tmp_path / "one", tmp_path / "deep" / "two"):
        part.write_bytes(bytes(1_500_000))
    for path, size in (("one", 1.5), ("", 3.0), ("none", 0.0)):
        assert DatasetSpec.own("mine", str(tmp_path / path)).source.artefact.mb() == size
    assert Registry.load(SHIPPED).artefacts["came"].mb() == 16.1


@pytest.mark.parametrize(
    ("path", "kind", "converted"),
    [
        ("c.h5ad", "auto", False),
        ("c.H5AD", "auto", False),
        ("c", "h5ad", False),
        ("c.h5", "auto", True),
        ("c.h5ad", "10x_h5", True),
        ("c.zarr", "auto", True),
    ],
)
def test_what_is_no_h5ad_is_converted(path: str, kind: str, converted: bool) -> None:
    assert DatasetSpec.own("mine", path, format=kind).converted is converted


def test_shipped_data_are_converted_where_tables_are_joined_or_they_are_no_h5ad() -> None:
    datasets = Registry.load(SHIPPED).datasets
    assert [name for name in ("baron", "sctab") if datasets[name].converted] == []
    assert datasets["kang_donors"].joins and datasets["kang_donors"].converted


def test_a_spec_cannot_change() -> None:
    spec = DatasetSpec.own("mine", "cells.h5ad")
    with pytest.raises(ValueError, match="frozen"):
        spec.name = "other"  # type: ignore[misc]


def test_bad_json_is_a_config_error() -> None:
    with pytest.raises(ConfigError, match="not JSON"):
        DatasetSpec.from_json("{")


def test_nearest() -> None:
    assert nearest("PBMC3", ["pbmc3k", "kang"]) == "did you mean 'pbmc3k'?"
    assert nearest("zzz", ["b", "a"]) == "there are: a, b"
    assert nearest("zzz", []) == "there are: none"


@pytest.mark.parametrize("deep", [False, True])
def test_another_file_in_the_same_place_has_another_stamp(tmp_path: Path, deep: bool) -> None:
    path = tmp_path / "own"
    file = path / "X" / "0.0" if deep else path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(b"one")
    spec = DatasetSpec.own("mine", str(path))
    first = spec.stamp()
    assert first and spec.stamp() == first
    file.write_bytes(b"other")
    assert spec.stamp() != first
    second = spec.stamp()
    os.utime(file, ns=(1, 1))
    assert spec.stamp() != second
    assert DatasetSpec.own("mine", str(tmp_path / "none")).stamp() == ""
    assert all(not each.stamp() for each in Registry.load(SHIPPED).datasets.values())
