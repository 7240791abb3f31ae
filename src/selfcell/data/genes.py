"""Gene names to versionless Ensembl ids, and what is lost on the way.

A name is looked up as (1) an Ensembl id, any version, (2) a current symbol, (3) a symbol respelled:
dashes that R turned to dots (`NKX2.2`), or `C1ORF162` for `C1orf162`, (4) a symbol of an earlier
annotation, (5) a symbol with the suffix that made a repeated name unique. Where several inputs lead
to one gene the earlier kind of match wins, then the first in order; the others are `duplicate`.
Nothing is summed: rows that differ in how they are named need not be the same measurement.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from selfcell.data.contract import ENSEMBL
from selfcell.data.registry import Reference
from selfcell.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

MIN_GENES_KNOWN = 0.30
MIN_COUNTS_KNOWN = 0.50
TABLE = "name the file that the study's rule `reference` wrote (reference/genes.csv.gz)"
HOW = ("ensembl", "symbol", "respelled", "earlier", "suffixed")
_ORF = re.compile(r"^C(\d+|X|Y)ORF(\d+)$")
_SUFFIX = re.compile(r"^(.+)[-.]\d+$")


@dataclass(frozen=True)
class GeneTable:
    """One annotation's genes.

    Attributes:
        frame: indexed by versionless Ensembl id; columns symbol, biotype.
        by_symbol: current symbol to Ensembl id. Of several genes of one symbol the protein-coding
            one is meant, of several of those the one with the lowest number.
        earlier: symbol of an earlier annotation, not in use now, to Ensembl id.
    """

    frame: pd.DataFrame
    by_symbol: dict[str, str]
    earlier: dict[str, str]

    @classmethod
    def from_frame(cls, frame: pd.DataFrame) -> GeneTable:
        """From columns ensembl, symbol, biotype and earlier (`;`-separated symbols)."""
        rows = frame.assign(other=frame["biotype"] != "protein_coding")
        rows = rows.sort_values(["other", "ensembl"])
        by_symbol: dict[str, str] = {}
        for symbol, ensembl in zip(rows["symbol"], rows["ensembl"], strict=True):
            by_symbol.setdefault(symbol, ensembl)
        earlier: dict[str, str] = {}
        for names, ensembl in zip(rows["earlier"], rows["ensembl"], strict=True):
            for name in filter(None, names.split(";")):
                if name not in by_symbol:
                    earlier.setdefault(name, ensembl)
        return cls(frame.set_index("ensembl")[["symbol", "biotype"]], by_symbol, earlier)

    @classmethod
    def from_csv(cls, path: Path | str) -> GeneTable:
        """Read what `build` wrote. Raises DataError if it is another file."""
        import pandas as pd

        needed = "columns ensembl, symbol, biotype, earlier"
        try:
            frame = pd.read_csv(path, dtype=str, keep_default_na=False)
        except ValueError as error:  # of pandas, and of bytes that are no text
            raise DataError(
                f"{path} is no gene table ({str(error).strip()})", needed, TABLE
            ) from error
        if list(frame.columns) != ["ensembl", "symbol", "biotype", "earlier"]:
            raise DataError(f"{path} is no gene table", needed, TABLE)
        return cls.from_frame(frame)

    def is_coding(self, ensembl: str) -> bool:
        """Whether a known gene codes for a protein."""
        return bool(self.frame.at[ensembl, "biotype"] == "protein_coding")


def build(annotation: Path, earlier: Path | None, reference: Reference) -> pd.DataFrame:
    """Gene table from a GENCODE listing (id, symbol, version, length, biotype; no header).

    Args:
        annotation: the listing, gzip or not.
        earlier: h5ad whose var maps symbols of an earlier annotation to Ensembl ids, or None.
        reference: names the var column of those ids.
    """
    import anndata
    import h5py
    import pandas as pd

    columns = ["ensembl", "symbol", "version", "length", "biotype"]
    frame = pd.read_csv(annotation, names=columns, dtype=str, keep_default_na=False)
    frame = frame[["ensembl", "symbol", "biotype"]]
    old: dict[str, list[str]] = {}
    if earlier is not None:
        with h5py.File(earlier, "r") as file:
            var = anndata.io.read_elem(file["var"])
        current = set(frame["symbol"])
        for symbol, ensembl in zip(var.index, var[reference.earlier_ids].astype(str), strict=True):
            # `-1` there is a made-up suffix of a repeated symbol, no symbol
            if symbol not in current and not re.search(r"-\d$", symbol):
                old.setdefault(ensembl, []).append(str(symbol))
    return frame.assign(earlier=[";".join(old.get(ensembl, [])) for ensembl in frame["ensembl"]])


def resolve(names: Sequence[str], ids: Sequence[str] | None, table: GeneTable) -> pd.DataFrame:
    """Find each input gene in the table.

    Args:
        names: (G,) var names: symbols, Ensembl ids, or both mixed.
        ids: (G,) Ensembl ids where the data set has them; where one is unknown the name is tried.
        table: the annotation.

    Returns:
        (G,) rows in input order: name, ensembl ("" if unknown), symbol, match (one of `HOW`, or
        ""), how (match if kept, else unknown, not_protein_coding or duplicate), kept.
    """
    import pandas as pd

    found = [_find(name, ids[i] if ids else "", table) for i, name in enumerate(names)]
    frame = pd.DataFrame(found, columns=["ensembl", "match"])
    frame.insert(0, "name", list(names))
    known = (frame["ensembl"] != "").to_numpy()
    symbol = table.frame["symbol"].reindex(frame["ensembl"]).fillna("").to_numpy()
    biotype = table.frame["biotype"].reindex(frame["ensembl"]).fillna("").to_numpy()
    frame["symbol"] = symbol
    rank = frame["match"].map({how: i for i, how in enumerate(HOW)}).fillna(len(HOW))
    order = np.lexsort((np.arange(len(frame)), rank.to_numpy()))
    repeated = np.zeros(len(frame), dtype=bool)
    repeated[order] = frame["ensembl"].iloc[order].duplicated().to_numpy()
    how = np.where(known, frame["match"], "unknown").astype(object)
    how[known & (biotype != "protein_coding")] = "not_protein_coding"
    how[known & repeated] = "duplicate"
    frame["how"] = how
    frame["kept"] = np.isin(how.astype(str), HOW)
    return frame


def _find(name: str, given_id: str, table: GeneTable) -> tuple[str, str]:
    for text in filter(None, (given_id, name)):
        match = ENSEMBL.match(text)
        if match and match.group(1) in table.frame.index:
            return match.group(1), "ensembl"
    if name in table.by_symbol:
        return table.by_symbol[name], "symbol"
    spellings = (name.replace(".", "-"), _ORF.sub(r"C\1orf\2", name))
    for spelling in spellings:
        if spelling in table.by_symbol:
            return table.by_symbol[spelling], "respelled"
    for spelling in (name, *spellings):
        if spelling in table.earlier:
            return table.earlier[spelling], "earlier"
    suffixed = _SUFFIX.match(name)
    if suffixed and suffixed.group(1) in table.by_symbol:
        return table.by_symbol[suffixed.group(1)], "suffixed"
    return "", ""


def report(mapping: pd.DataFrame, counts_G: Any) -> dict[str, Any]:
    """What the mapping kept.

    Args:
        mapping: of `resolve`.
        counts_G: (G,) molecules of each input gene, over all cells.

    Returns:
        Numbers of genes in, kept, by `how`; share (0-1) of counts kept and of counts known; and
        the ten unknown genes with most counts.
    """
    counts = np.asarray(counts_G, dtype=np.float64)
    total = float(counts.sum())
    known = (mapping["ensembl"] != "").to_numpy()
    kept = mapping["kept"].to_numpy()
    top = np.argsort(-np.where(known, -1.0, counts), kind="stable")[:10]
    fates = (*HOW, "duplicate", "not_protein_coding", "unknown")
    return {
        "genes_in": len(mapping),
        "genes_kept": int(kept.sum()),
        **{f"genes_{fate}": int((mapping["how"] == fate).sum()) for fate in fates},
        "share_genes_known": float(known.mean()),
        "share_counts_known": float(counts[known].sum() / total) if total else 0.0,
        "share_counts_kept": float(counts[kept].sum() / total) if total else 0.0,
        "unknown_with_most_counts": [str(mapping["name"].iloc[i]) for i in top if not known[i]],
    }


def require_human(mapping: pd.DataFrame, summary: dict[str, Any], dataset: str) -> None:
    """Refuse a mapping that lost too much to be this species and this kind of name.

    Raises:
        DataError: under 30 % of the genes or under 50 % of the counts are known.
    """
    genes, counts = summary["share_genes_known"], summary["share_counts_known"]
    if genes >= MIN_GENES_KNOWN and counts >= MIN_COUNTS_KNOWN:
        return
    lost = [str(name) for name in mapping.loc[mapping["ensembl"] == "", "name"]]
    mouse = [name for name in lost if looks_mouse(name)]
    hint = "check `gene_ids:` and the species: human symbols or Ensembl ids are known"
    if 2 * len(mouse) > len(lost):
        hint = f"these look like mouse genes ({', '.join(mouse[:3])}): map them to human first"
    raise DataError(
        f"{genes:.0%} of the genes and {counts:.0%} of the counts of data set {dataset!r} are "
        f"known human genes (first unknown: {', '.join(lost[:3])})",
        f"at least {MIN_GENES_KNOWN:.0%} and {MIN_COUNTS_KNOWN:.0%}",
        hint,
    )


def looks_mouse(name: str) -> bool:
    """Whether a name is written as mouse genes are: `Gapdh`, `0610007P14Rik`, or an Ensembl id."""
    if name.startswith("ENSMUSG"):
        return True
    return bool(re.match(r"^[A-Z][a-z0-9]*[a-z][a-z0-9]*(-[A-Za-z0-9]+)?$|^\d+[A-Z]\d+Rik$", name))
