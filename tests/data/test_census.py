"""Slices of a small Census that is made here, read as the public one would be."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from selfcell.data import census
from selfcell.data.artefacts import CENSUS, CensusSlice
from selfcell.data.parse import parse
from selfcell.data.readers import prepare, read_h5ad
from selfcell.data.registry import DatasetSpec, Registry
from selfcell.entries import Dataset
from selfcell.errors import ConfigError, DataError, FetchError
from selfcell.keys import generator

N, G = 300, 40
TYPES = {"T cell": "CL:0000084", "B cell": "CL:0000236", "cell line": "CL:0000010"}
VERSION = "9f222629-9e39-47d0-b83f-e08d610c7479"
IDS = [f"ENSG{i:011d}" for i in range(G)]


def cells() -> anndata.AnnData:
    """Cells of three types, five donors in two data sets, one of ten a copy; B cells are rare."""
    rng = generator("census")
    counts = sparse.csr_matrix(rng.poisson(0.4, (N, G)).astype(np.float32))
    kind = np.array(list(TYPES))[np.where(np.arange(N) % 15 == 0, 1, np.arange(N) % 2 * 2)]
    obs = pd.DataFrame({"cell_type": kind}, index=[f"x{i}" for i in range(N)])
    obs["cell_type_ontology_term_id"] = [TYPES[name] for name in kind]
    obs["dataset_id"] = np.where(np.arange(N) < 100, "one", "two")
    obs["donor_id"] = [f"d{i % 5}" for i in range(N)]
    obs["assay"] = np.where(np.arange(N) % 3 == 0, "Smart-seq2", "10x 3' v3")
    obs["is_primary_data"] = np.arange(N) % 10 != 0
    obs["n_measured_obs"] = np.arange(N)
    var = pd.DataFrame({"feature_id": IDS, "feature_name": [f"S{i}" for i in range(G)]})
    return anndata.AnnData(counts, obs=obs, var=var.set_index("feature_id", drop=False))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cells as a Census."""
    soma = pytest.importorskip("tiledbsoma", reason="install the extra `census`")
    import tiledbsoma.io

    folder = tmp_path_factory.mktemp("census") / "soma"
    whole = cells().copy()
    whole.var = whole.var.rename_axis("id")
    with soma.Collection.create(str(folder)) as root:
        data = root.add_new_collection("census_data")
        uri = f"{data.uri}/homo_sapiens"
        tiledbsoma.io.from_anndata(uri, whole, "RNA", X_layer_name="raw")
        data.set("homo_sapiens", soma.Experiment.open(uri), use_relative_uri=True)
    return folder


def entry(made: Path, **chosen: Any) -> DatasetSpec:
    """A data set that is a slice of it."""
    slice_ = {"version": "2023-05-15", "uri": str(made), **chosen}
    artefact = {"name": "atlas", "kind": "census", "census": slice_}
    spec = {"name": "atlas", "source": {"artefact": artefact}, "label": "cell_type"}
    return DatasetSpec.model_validate({**spec, "donor": "donor_id", "batch": "sample"})


def fetched(made: Path, tmp_path: Path, **chosen: Any) -> anndata.AnnData:
    """The slice as a job of the workflow gets it: through JSON, to raw.h5ad, read back."""
    spec = DatasetSpec.from_json(entry(made, **chosen).to_json())
    prepare(spec, tmp_path / "cache", [], tmp_path / "raw.h5ad")
    return read_h5ad(tmp_path / "raw.h5ad", spec)


@pytest.mark.parametrize("rows", [7, 4096])
def test_a_slice_holds_the_cells_that_pass_and_no_others(
    made: Path, tmp_path: Path, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(census, "ROWS", rows)
    got = fetched(made, tmp_path, where={"assay": ["10x 3' v3"]}, filter="n_measured_obs > 20")
    whole = cells()
    obs = whole.obs
    kept = ((obs.assay == "10x 3' v3") & obs.is_primary_data & (obs.n_measured_obs > 20)).to_numpy()
    assert 0 < kept.sum() < N
    np.testing.assert_array_equal(got.X.toarray(), whole.X[kept].toarray())
    assert list(got.obs_names) == [str(i) for i in np.flatnonzero(kept)]
    assert list(got.var_names) == IDS and list(got.var["symbol"]) == list(whole.var["feature_name"])
    for column in ("cell_type", "donor_id", "assay"):
        assert list(got.obs[column]) == list(obs.loc[kept, column])
    sample = obs["dataset_id"] + "_" + obs["donor_id"]
    assert list(got.obs["sample"]) == list(sample[kept])


def test_copies_are_kept_when_asked_for(made: Path, tmp_path: Path) -> None:
    assert fetched(made, tmp_path, primary=False).n_obs == N


def test_rare_types_and_types_of_few_samples_are_left_out(made: Path, tmp_path: Path) -> None:
    obs = cells().obs.query("is_primary_data")
    per_type = obs.cell_type.value_counts()
    rare = int(per_type.min())
    assert set(fetched(made, tmp_path, min_cells=rare).obs.cell_type) == set(TYPES)
    got = fetched(made, tmp_path, min_cells=rare + 1)
    assert set(got.obs.cell_type) == set(per_type.index[per_type > rare])
    samples = (obs.dataset_id + obs.donor_id).groupby(obs.cell_type).nunique()
    few = int(samples.min())
    assert few < samples.max()
    got = fetched(made, tmp_path, min_samples=few + 1)
    assert set(got.obs.cell_type) == set(samples.index[samples > few])
    got = fetched(made, tmp_path, min_samples=int(samples.max()))
    assert set(got.obs.cell_type) == set(samples.index[samples == samples.max()])


def test_types_by_their_place_in_the_ontology(made: Path, tmp_path: Path) -> None:
    terms = {
        "CL:0000000": {"label": "cell", "ancestors": {}},
        "CL:0000003": {"label": "native cell", "ancestors": {"CL:0000000": 1}},
        "CL:0000010": {"label": "cell line", "ancestors": {"CL:0000000": 1}},
        "CL:0000084": {"label": "T", "ancestors": {"CL:0000003": 1, "CL:0000000": 2}},
        "CL:0000236": {"label": "B", "ancestors": {"CL:0000003": 1, "CL:0000000": 2}},
    }
    for term in terms.values():
        term["deprecated"] = False
    (tmp_path / "cl.json").write_text(json.dumps(terms))
    local = {"artefact": {"name": "cl", "kind": "local", "path": str(tmp_path / "cl.json")}}
    got = fetched(made, tmp_path, within="CL:0000003", ontology=local)
    assert set(got.obs.cell_type) == {"T cell", "B cell"}
    assert set(got.obs.cell_type.cat.categories) == {"T cell", "B cell"}
    got = fetched(made, tmp_path, min_ancestors=2, ontology=local)
    assert set(got.obs.cell_type) == {"T cell", "B cell"}
    with pytest.raises(ConfigError, match="need `ontology:`"):
        fetched(made, tmp_path, within="CL:0000003")


def test_genes_by_a_list(made: Path, tmp_path: Path) -> None:
    wanted = [IDS[5], IDS[3], "ENSG99999999999"]
    (tmp_path / "genes.csv").write_text("\n".join(f"{gene},name" for gene in wanted))
    local = {"artefact": {"name": "genes", "kind": "local", "path": str(tmp_path / "genes.csv")}}
    got = fetched(made, tmp_path, genes=local)
    assert list(got.var_names) == [IDS[3], IDS[5]]
    kept = cells().obs.is_primary_data.to_numpy()
    np.testing.assert_array_equal(got.X.toarray(), cells().X[kept][:, [3, 5]].toarray())
    (tmp_path / "genes.csv").write_text("Symbol\n")
    with pytest.raises(DataError, match="none of the 1 genes of genes.csv"):
        fetched(made, tmp_path, genes=local)


def test_the_same_slice_gives_the_same_bytes(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, rows in (("a", 4096), ("b", 50)):
        monkeypatch.setattr(census, "ROWS", rows)
        prepare(entry(made), tmp_path / "cache", [], tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize(
    ("chosen", "error", "said"),
    [
        ({"where": {"asay": ["x"]}}, ConfigError, "no obs column 'asay'; .*did you mean 'assay'"),
        ({"where": {"assay": ["x"]}}, DataError, "no cell of the Census 2023-05-15 passes"),
        ({"filter": "assay is x"}, FetchError, "cannot be read .*the filter"),
        ({"min_cells": 1000}, DataError, "passes min_cells"),
        ({"uri": "/nowhere/soma"}, FetchError, "/nowhere/soma cannot be read.*remedy: check"),
    ],
)
def test_what_is_wrong_is_said(
    made: Path, tmp_path: Path, chosen: dict[str, Any], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        fetched(made, tmp_path, **chosen)


def test_a_missing_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "tiledbsoma", None)
    with pytest.raises(ConfigError, match=r"the extra `census`.*\[census\]"):
        fetched(tmp_path, tmp_path)


def test_the_public_census_is_found_by_its_version() -> None:
    plain = CensusSlice(version="2023-05-15")
    assert plain.address == CENSUS.replace("{version}", "2023-05-15")
    assert plain.condition() == "is_primary_data == True"


def test_the_papers_corpus_is_in_the_registry(repo: Path) -> None:
    chosen = Registry.load(repo / "resources/datasets.yaml").dataset("sctab").source.artefact.census
    assert chosen is not None and chosen.primary and chosen.version == "2023-05-15"
    assert len(chosen.where["assay"]) == 7
    assert (chosen.min_cells, chosen.min_samples, chosen.min_ancestors) == (5000, 31, 8)
    assert chosen.within == "CL:0000003" and chosen.sample == ("dataset_id", "donor_id")


def test_a_configuration_names_a_slice_or_a_data_set_of_its_own(repo: Path) -> None:
    registry = Registry.load(repo / "resources/datasets.yaml")
    slice_ = {"version": "2023-05-15", "where": {"tissue_general": ["lung"]}, "min_ancestors": 8}
    own = Dataset.model_validate({"name": "lung", "census": slice_, "label": "cell_type"})
    chosen = own.spec(registry).source.artefact.census
    assert chosen is not None and chosen.where == {"tissue_general": ("lung",)}
    assert chosen.ontology == registry.reference("cell_ontology").source
    own = Dataset.model_validate({"name": "hlca", "cellxgene": VERSION, "sha256": "0" * 64})
    artefact = own.spec(registry).source.artefact
    assert artefact.url == f"https://datasets.cellxgene.cziscience.com/{VERSION}.h5ad"
    assert artefact.sha256 == "0" * 64
    with pytest.raises(ConfigError, match="datasets.both.*one of path, cellxgene, census"):
        parse(Dataset, {"name": "b", "path": "x.h5ad", "census": slice_}, "datasets.both")
