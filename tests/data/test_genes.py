"""Gene names to Ensembl ids."""

from __future__ import annotations

import gzip
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import pytest

from selfcell.data.genes import GeneTable, build, report, require_human, resolve
from selfcell.data.registry import Registry
from selfcell.errors import DataError

ROWS = [
    ("ENSG00000000001", "CD3E", "protein_coding", ""),
    ("ENSG00000000002", "NKX2-2", "protein_coding", ""),
    ("ENSG00000000003", "C1orf162", "protein_coding", ""),
    ("ENSG00000000004", "SEPTIN7", "protein_coding", "SEPT7"),
    ("ENSG00000000005", "MALAT1", "lncRNA", ""),
    ("ENSG00000000009", "TWIN", "protein_coding", ""),
    ("ENSG00000000008", "TWIN", "protein_coding", ""),
    ("ENSG00000000007", "TWIN", "lncRNA", ""),
    ("ENSG00000000010", "MARS1", "protein_coding", "CD3E;OLD"),
]


@pytest.fixture
def table() -> GeneTable:
    return GeneTable.from_frame(
        pd.DataFrame(ROWS, columns=["ensembl", "symbol", "biotype", "earlier"])
    )


@pytest.mark.parametrize(
    ("name", "number", "how"),
    [
        ("ENSG00000000001", 1, "ensembl"),
        ("ENSG00000000001.17", 1, "ensembl"),
        ("CD3E", 1, "symbol"),
        ("NKX2.2", 2, "respelled"),
        ("C1ORF162", 3, "respelled"),
        ("SEPT7", 4, "earlier"),
        ("OLD", 10, "earlier"),
        ("CD3E-1", 1, "suffixed"),
        ("CD3E.1", 1, "suffixed"),
        ("MALAT1", 5, "not_protein_coding"),
        ("TWIN", 8, "symbol"),
        ("ENSG99999999999", 0, "unknown"),
        ("ENSG00000000001.17_PAR_Y", 0, "unknown"),
        ("RP11-206L10.2", 0, "unknown"),
        ("cd3e", 0, "unknown"),
    ],
)
def test_one_name(table: GeneTable, name: str, number: int, how: str) -> None:
    row = resolve([name], None, table).iloc[0]
    assert row["ensembl"] == (f"ENSG{number:011d}" if number else "")
    assert row["how"] == how
    assert row["kept"] == (how not in ("unknown", "not_protein_coding"))


def test_a_current_symbol_is_never_read_as_an_earlier_one(table: GeneTable) -> None:
    assert "CD3E" not in table.earlier


def test_given_ids_go_before_names_and_unknown_ids_fall_back(table: GeneTable) -> None:
    mapping = resolve(["CD3E", "NKX2-2"], ["ENSG00000000004.2", "ENSG99999999999"], table)
    assert list(mapping["ensembl"]) == ["ENSG00000000004", "ENSG00000000002"]
    assert list(mapping["how"]) == ["ensembl", "symbol"]


def test_of_several_names_of_one_gene_the_surest_stays(table: GeneTable) -> None:
    mapping = resolve(["CD3E-1", "SEPT7", "CD3E", "SEPTIN7"], None, table)
    assert list(mapping["how"]) == ["duplicate", "duplicate", "symbol", "symbol"]
    both = resolve(["OLD", "CD3E", "ENSG00000000001"], None, table)
    assert list(both["how"]) == ["earlier", "duplicate", "ensembl"]


def test_the_report_counts_genes_and_counts(table: GeneTable) -> None:
    names = ["CD3E", "MALAT1", "lost", "CD3E-1"]
    summary = report(resolve(names, None, table), np.array([60, 20, 15, 5]))
    assert summary["genes_in"] == 4
    assert summary["genes_kept"] == summary["genes_symbol"] == 1
    assert summary["genes_unknown"] == summary["genes_duplicate"] == 1
    assert summary["genes_not_protein_coding"] == 1
    assert summary["share_counts_kept"] == pytest.approx(0.60)
    assert summary["share_counts_known"] == pytest.approx(0.85)
    assert summary["unknown_with_most_counts"] == ["lost"]
    fates = {key for key in summary if key.startswith("genes_")} - {"genes_in", "genes_kept"}
    assert sum(summary[key] for key in fates) == 4


@pytest.mark.parametrize(
    ("names", "hint"),
    [
        (["Cd3e", "Nkx2-2", "0610007P14Rik"], "mouse genes \\(Cd3e"),
        (["ENSMUSG00000000001"] * 3, "mouse"),
        (["p1", "p2", "p3"], "check `gene_ids:`"),
    ],
)
def test_a_foreign_data_set_is_refused(table: GeneTable, names: list[str], hint: str) -> None:
    mapping = resolve(names, None, table)
    with pytest.raises(DataError, match=f"0% of the genes.*{hint}"):
        require_human(mapping, report(mapping, np.ones(3)), "mine")


def test_few_known_counts_are_refused_and_enough_pass(table: GeneTable) -> None:
    mapping = resolve(["CD3E", "x"], None, table)
    require_human(mapping, report(mapping, np.array([50, 50])), "mine")
    with pytest.raises(DataError, match="40% of the counts"):
        require_human(mapping, report(mapping, np.array([40, 60])), "mine")
    mapping = resolve(["CD3E", "x", "y", "z"], None, table)
    with pytest.raises(DataError, match="25% of the genes and 100% of the counts"):
        require_human(mapping, report(mapping, np.array([9, 0, 0, 0])), "mine")


def test_build_joins_the_earlier_annotation(tmp_path: Path) -> None:
    listing = tmp_path / "genes.csv.gz"
    with gzip.open(listing, "wt") as file:
        file.write("ENSG00000000001,CD3E,9,100,protein_coding\n")
        file.write("ENSG00000000004,SEPTIN7,3,100,protein_coding\n")
    var = pd.DataFrame({"gene_ids": ["ENSG00000000004", "ENSG00000000001", "ENSG00000000004"]})
    var.index = pd.Index(["SEPT7", "CD3E", "CD3E-1"])
    anndata.AnnData(X=np.zeros((1, 3), np.float32), var=var).write_h5ad(tmp_path / "old.h5ad")
    shipped = Registry.load(Path(__file__).parents[2] / "resources" / "datasets.yaml")
    frame = build(listing, tmp_path / "old.h5ad", shipped.reference("genes"))
    assert list(frame["earlier"]) == ["", "SEPT7"]
    frame.to_csv(tmp_path / "table.csv", index=False)
    assert GeneTable.from_csv(tmp_path / "table.csv").earlier == {"SEPT7": "ENSG00000000004"}
    with pytest.raises(DataError, match="no gene table"):
        GeneTable.from_csv(listing)


@pytest.mark.parametrize(
    "content", [b"a,b\n1,2\n1,2,3,4\n", b"", b"\x89HDF\xff\x00\n", b"a,b\n1,2\n"]
)
def test_another_file_is_no_gene_table(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.csv").write_bytes(content)
    with pytest.raises(DataError, match="is no gene table.*needed: columns ensembl.*remedy"):
        GeneTable.from_csv(tmp_path / "x.csv")
