"""From raw cells to canonical cells."""

from __future__ import annotations

import tracemalloc
import warnings
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from selfcell.data import own
from selfcell.data import qc as quality
from selfcell.data.genes import GeneTable
from selfcell.data.h5ad import H5adWriter, InMemory
from selfcell.data.own import Matrix, raw_counts
from selfcell.data.parse import parse
from selfcell.data.qc import WHOLE_GENOME, Limits
from selfcell.data.readers import read_h5ad
from selfcell.data.registry import DatasetSpec
from selfcell.errors import ConfigError, DataError
from selfcell.keys import generator

N, G = 8, WHOLE_GENOME
SPEC = DatasetSpec.own("mine", "x.h5ad", label="type", donor="who", ontology="mine")
ONTOLOGY = {"mine": {"a": "CL:0000001"}}
LIMITS = Limits(min_genes=10)


class Checked(NamedTuple):
    """What quality control made, all of it in memory."""

    cells: anndata.AnnData
    table: pd.DataFrame
    summary: dict[str, Any]


def qc(
    raw: anndata.AnnData, spec: DatasetSpec, table: GeneTable, limits: Limits, ontology: Any
) -> Checked:
    """Quality control of cells in memory."""
    sink = InMemory()
    done = quality.qc(Matrix.of(raw, spec.layer, spec), table, limits, ontology, lambda _: sink)
    return Checked(sink.cells, done.table, done.summary)


@pytest.fixture(scope="module")
def table() -> GeneTable:
    """Genes G0..; every tenth one is no protein-coding one, the last five mitochondrial."""
    symbols = [f"G{i}" for i in range(G - 5)] + [f"MT-{i}" for i in range(5)]
    frame = pd.DataFrame({"ensembl": [f"ENSG{i:011d}" for i in range(G)], "symbol": symbols})
    frame["biotype"] = np.where(np.arange(G) % 10 == 9, "lncRNA", "protein_coding")
    return GeneTable.from_frame(frame.assign(earlier=""))


@pytest.fixture
def raw(table: GeneTable) -> anndata.AnnData:
    X = (generator("qc", 0).random((N, G)) < 0.01).astype(np.float32)
    X[:, -5:] = 0
    X[1] = 0  # an empty cell
    X[2, 9:] = 0  # a cell of at most nine genes
    X[2, :9] = 1
    X[3, -1] = 1e4  # a dying cell
    obs = pd.DataFrame({"type": [*"aaaab", "", "b", "a"], "who": ["d1", "d2"] * 4})
    obs.index = pd.Index([f"c{i}" for i in range(N)])
    var = pd.DataFrame(index=pd.Index(table.frame["symbol"].to_list()))
    return anndata.AnnData(X=sparse.csr_matrix(X), obs=obs, var=var)


def test_each_cell_is_dropped_for_its_reason(raw: anndata.AnnData, table: GeneTable) -> None:
    result = qc(raw, SPEC, table, LIMITS, ONTOLOGY)
    reasons = ["", "empty", "few_genes", "high_mito", "", "unlabelled", "", ""]
    assert list(result.table["reason"]) == reasons
    assert list(result.table["kept"]) == [reason == "" for reason in reasons]
    assert list(result.cells.obs_names) == ["mine:c0", "mine:c4", "mine:c6", "mine:c7"]
    dropped = {"unlabelled": 1, "empty": 1, "few_genes": 1, "high_mito": 1}
    assert result.summary["cells_dropped"] == dropped | {"doublet": 0, "not_drawn": 0}
    assert (result.summary["cells_in"], result.summary["cells_kept"]) == (8, 4)


def test_canonical_cells(raw: anndata.AnnData, table: GeneTable) -> None:
    cells = qc(raw, SPEC, table, LIMITS, ONTOLOGY).cells
    coding = [i for i in range(G) if i % 10 != 9]
    assert list(cells.var_names) == [f"ENSG{i:011d}" for i in coding]
    assert list(cells.var["symbol"].iloc[:2]) == ["G0", "G1"]
    kept = [0, 4, 6, 7]
    np.testing.assert_array_equal(cells.X.toarray(), raw.X.toarray()[kept][:, coding])
    assert list(cells.obs["label"]) == ["a", "b", "b", "a"]
    assert list(cells.obs["donor"]) == ["d1", "d1", "d1", "d2"]
    assert set(cells.obs["batch"]) == set(cells.obs["condition"]) == {"unknown"}
    assert list(cells.obs["ontology"]) == ["CL:0000001", "", "", "CL:0000001"]
    # over all genes of the file, those that are dropped included
    assert list(cells.obs["total_counts"]) == [int(raw.X[i].sum()) for i in kept]
    assert list(cells.obs["n_genes"]) == [raw.X[i].nnz for i in kept]


def test_one_donor_needs_no_column(raw: anndata.AnnData, table: GeneTable) -> None:
    spec = DatasetSpec.own("mine", "x.h5ad", label="type", one_donor=True)
    result = qc(raw, spec, table, LIMITS, {})
    assert set(result.cells.obs["donor"]) == {"mine"}
    assert set(result.cells.obs["batch"]) == {"unknown"}


def test_cells_are_drawn_of_those_that_pass(raw: anndata.AnnData, table: GeneTable) -> None:
    def kept(cells: anndata.AnnData, n: int) -> set[str]:
        drawn = qc(cells, SPEC.model_copy(update={"max_cells": n}), table, LIMITS, ONTOLOGY)
        assert drawn.summary["cells_dropped"]["not_drawn"] == max(0, 4 - n)
        return set(drawn.cells.obs_names)

    everyone = kept(raw, 9)
    assert [len(kept(raw, n)) for n in (1, 2, 3, 4)] == [1, 2, 3, 4]
    assert kept(raw, 1) < kept(raw, 2) < kept(raw, 3) < everyone
    assert kept(raw[::-1].copy(), 2) == kept(raw, 2)


def test_rare_genes_are_counted_and_stay(raw: anndata.AnnData, table: GeneTable) -> None:
    result = qc(raw, SPEC, table, LIMITS, ONTOLOGY)
    seen = (result.cells.X.toarray() > 0).sum(axis=0)
    assert result.summary["genes_rare"] == (seen < 3).sum() > 0
    assert result.cells.n_vars == len(seen) == G - G // 10


def test_mitochondrial_share(raw: anndata.AnnData, table: GeneTable) -> None:
    share = qc(raw, SPEC, table, LIMITS, ONTOLOGY).table["pct_mito"]
    total = raw.X[3].sum()
    assert share[3] == pytest.approx(100 * 1e4 / total)
    assert share[0] == 0.0
    assert np.isnan(share[1])
    lax = qc(raw, SPEC, table, Limits(min_genes=10, max_mito=1.0), ONTOLOGY)
    assert lax.summary["cells_dropped"]["high_mito"] == 0


@pytest.mark.parametrize("how", ["no mitochondrial gene", "a selection of genes"])
def test_not_measured_is_never_zero(
    raw: anndata.AnnData, table: GeneTable, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if how == "no mitochondrial gene":
        raw = raw[:, :-5].copy()
        monkeypatch.setattr(quality, "WHOLE_GENOME", raw.n_vars)
    else:
        raw = raw[:, 10:].copy()
    result = qc(raw, SPEC, table, Limits(min_genes=5), ONTOLOGY)
    assert result.table["pct_mito"].isna().all()
    assert result.summary["median_pct_mito"] == "not measured"
    assert result.summary["cells_dropped"]["high_mito"] == 0


def test_a_floor_of_its_own(raw: anndata.AnnData, table: GeneTable) -> None:
    own = SPEC.model_copy(update={"min_genes": 9})
    assert qc(raw, own, table, LIMITS, ONTOLOGY).summary["cells_dropped"]["few_genes"] == 0


def test_without_labels_every_cell_may_stay(raw: anndata.AnnData, table: GeneTable) -> None:
    result = qc(raw, DatasetSpec.own("mine", "x.h5ad"), table, LIMITS, {})
    assert result.summary["cells_dropped"]["unlabelled"] == 0
    assert set(result.cells.obs["label"]) == {"unknown"}


def test_nothing_left_is_an_error(raw: anndata.AnnData, table: GeneTable) -> None:
    with pytest.raises(DataError, match="no cell.*few_genes"):
        qc(raw, SPEC, table, Limits(min_genes=5000), ONTOLOGY)


def test_the_contract_and_the_species_are_checked(raw: anndata.AnnData, table: GeneTable) -> None:
    with pytest.raises(DataError, match="no obs column 'x'"):
        qc(raw, SPEC.model_copy(update={"label": "x"}), table, LIMITS, ONTOLOGY)
    raw.var_names = [f"Gene{i}a" for i in range(G)]
    with pytest.raises(DataError, match="known human genes"):
        qc(raw, SPEC, table, LIMITS, ONTOLOGY)


def test_limits_out_of_range_or_unknown() -> None:
    with pytest.raises(ConfigError, match="max_mito"):
        parse(Limits, {"max_mito": 20}, "--limits")
    with pytest.raises(ConfigError, match="did you mean 'min_genes'"):
        parse(Limits, {"min_gene": 20}, "--limits")


def test_proteins_follow_their_cells(raw: anndata.AnnData, table: GeneTable) -> None:
    protein = pd.DataFrame({"CD3": np.arange(N, dtype=float)}, index=raw.obs_names)
    raw.obsm["protein"] = protein
    cells = qc(raw, SPEC, table, LIMITS, ONTOLOGY).cells
    assert list(cells.obsm["protein"]["CD3"]) == [0, 4, 6, 7]
    assert list(cells.obsm["protein"].index) == list(cells.obs_names)


def test_written_twice_the_bytes_are_the_same(
    raw: anndata.AnnData, table: GeneTable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw.obsm["protein"] = pd.DataFrame({"CD3": np.arange(N, dtype=float)}, index=raw.obs_names)
    raw.write_h5ad(tmp_path / "raw.h5ad")
    files = []
    for name, rows in (("one.h5ad", 3), ("two.h5ad", 1024)):
        monkeypatch.setattr(own, "BLOCK", rows)
        with raw_counts(tmp_path / "raw.h5ad", SPEC) as matrix, ExitStack() as stack:
            path = tmp_path / name
            quality.qc(
                *(matrix, table, LIMITS, ONTOLOGY),
                lambda n, path=path, stack=stack: stack.enter_context(H5adWriter(path, n)),
            )
        files.append((tmp_path / name).read_bytes())
    assert files[0] == files[1]
    back, held = (
        read_h5ad(tmp_path / "one.h5ad", SPEC),
        qc(raw, SPEC, table, LIMITS, ONTOLOGY).cells,
    )
    assert (back.X != held.X).nnz == 0
    pd.testing.assert_frame_equal(back.obs, held.obs)
    pd.testing.assert_frame_equal(back.var, held.var)
    pd.testing.assert_frame_equal(back.obsm["protein"], held.obsm["protein"])
    assert list(back.obs["label"]) == ["a", "b", "b", "a"]
    assert back.obs["label"].dtype == object


def test_memory_does_not_grow_with_the_matrix(
    table: GeneTable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(own, "BLOCK", 100)
    peaks, whole = {}, {}
    for n in (400, 400, 1600):  # the first loads what is loaded once
        counts = sparse.random(n, G, 0.05, format="csr", random_state=0, dtype=np.float32)
        counts.data[:] = 1
        names = pd.Index([f"c{i}" for i in range(n)])
        cells = anndata.AnnData(counts, obs=pd.DataFrame({"type": "a", "who": "d"}, index=names))
        cells.var_names = table.frame["symbol"].to_list()
        cells.write_h5ad(tmp_path / f"{n}.h5ad")
        whole[n] = counts.data.nbytes + counts.indices.nbytes
        tracemalloc.start()
        with raw_counts(tmp_path / f"{n}.h5ad", SPEC) as matrix, ExitStack() as stack:
            writer = H5adWriter(tmp_path / f"{n}.out.h5ad", G)
            stack.enter_context(writer)
            quality.qc(matrix, table, LIMITS, ONTOLOGY, lambda _, to=writer: to)
        peaks[n] = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peaks[1600] - peaks[400] < 0.3 * (whole[1600] - whole[400])


def test_input_is_left_as_it_was(raw: anndata.AnnData, table: GeneTable) -> None:
    before = raw.copy()
    qc(raw, SPEC, table, LIMITS, ONTOLOGY)
    assert (raw.X != before.X).nnz == 0
    pd.testing.assert_frame_equal(raw.obs, before.obs)


@pytest.mark.slow
def test_doublets_are_scored_and_dropped(table: GeneTable) -> None:
    """Cells that are the sum of two unlike cells score above those that are not."""
    draw = generator("qc", "doublets")
    programme = draw.gamma(0.3, 1.0, (2, 600)) * np.repeat(np.eye(2), 300, axis=1) + 0.02
    single = draw.poisson(programme[np.arange(300) % 2] * 4)
    double = single[:20:2] + single[1:20:2]
    X = np.vstack([single, double]).astype(np.float32)
    names = pd.Index([f"c{i}" for i in range(len(X))])
    var = pd.DataFrame(index=pd.Index([f"G{i}" for i in range(600)]))
    raw = anndata.AnnData(X=sparse.csr_matrix(X), obs=pd.DataFrame(index=names), var=var)
    spec = DatasetSpec.own("mine", "x.h5ad")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scanpy's own
        result = qc(raw, spec, table, Limits(min_genes=5, doublets=True), {})
    scores = result.table["doublet_score"].to_numpy()
    assert np.median(scores[300:]) > np.quantile(scores[:300], 0.9)
    assert result.summary["cells_dropped"]["doublet"] == (scores > 0.25).sum() > 0
