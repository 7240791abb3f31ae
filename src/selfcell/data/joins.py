"""Join what was published apart from the counts: donors, proteins, labels.

Each join takes the cells and the paths of its sources, and adds to the cells in place. `JOINS`
maps the kinds a registry entry may name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from selfcell.errors import DataError

if TYPE_CHECKING:
    from anndata import AnnData

# Antibodies of the 10x data set pbmc_10k_protein_v3 in the order Cell Ranger wrote them, which
# is the order of the label file's columns.
TENX_ORDER = ("CD3 CD4 CD8a CD14 CD15 CD16 CD56 CD19 CD25 CD45RA CD45RO PD-1 TIGIT CD127").split()
# The label file holds codes alone; named by their mean protein profile: CD19 for 1, CD14 for 2,
# CD16 without CD56 for 3, CD3 and CD4 for 4, CD3 and CD8a for 5, CD4 without CD3 for 6, CD56 for 7.
CODES = {1: "B", 2: "CD14 Mono", 3: "CD16 Mono", 4: "CD4 T", 5: "CD8 T", 6: "DC", 7: "NK"}


def demuxlet(adata: AnnData, tables: Sequence[Path]) -> None:
    """obs["donor"] from demuxlet's calls: one table for the CTRL cells, one for the STIM cells.

    Singlets get their donor's number; cells called doublet or ambiguous are "unknown". Barcodes
    occur in both conditions, hence one table each; R wrote `-1` as `.1` (`.11` where repeated).

    Raises:
        DataError: a cell is in no table.
    """
    import pandas as pd

    condition = adata.obs["stim"].astype(str).to_numpy()
    donor = np.full(adata.n_obs, "", dtype=object)
    barcode = np.array([re.sub(r"\.1+$", "-1", name) for name in adata.obs_names], dtype=object)
    for name, path in zip(("CTRL", "STIM"), tables, strict=True):
        table = pd.read_csv(path, sep="\t", usecols=["BARCODE", "BEST"], index_col="BARCODE")
        here = condition == name
        best = table["BEST"].reindex(barcode[here])
        if best.isna().any():
            missing = barcode[here][best.isna().to_numpy()]
            raise DataError(f"{path.name} lacks {len(missing)} cells, first {missing[0]}")
        donor[here] = [
            call.removeprefix("SNG-") if call.startswith("SNG-") else "unknown" for call in best
        ]
    adata.obs["donor"] = donor.astype(str)


def protein_obsm(adata: AnnData, tables: Sequence[Path]) -> None:
    """obsm["protein"] from scvi-tools' layout: obsm["protein_expression"], uns["protein_names"]."""
    names = [str(name) for name in adata.uns["protein_names"]]
    _set_protein(adata, np.asarray(adata.obsm["protein_expression"]), names)
    del adata.obsm["protein_expression"], adata.uns["protein_names"]


def protein_csv(adata: AnnData, tables: Sequence[Path]) -> None:
    """obsm["protein"] from a proteins x cells text file. Raises DataError on a missing cell."""
    import pandas as pd

    table = pd.read_csv(tables[0], index_col=0).T.reindex(adata.obs_names)
    if table.isna().to_numpy().any():
        raise DataError(f"{tables[0].name} lacks proteins of some cells", "all of them")
    _set_protein(adata, table.to_numpy(), [str(name) for name in table.columns])


def protein_h5ad(adata: AnnData, tables: Sequence[Path]) -> None:
    """obsm["protein"] from the `counts` layer of an h5ad of the same cells in any order."""
    import anndata

    other = anndata.read_h5ad(tables[0])
    if set(other.obs_names) != set(adata.obs_names):
        raise DataError(f"{tables[0].name} holds other cells", "the cells of the counts")
    other = other[adata.obs_names]
    _set_protein(adata, other.layers["counts"].toarray(), [str(n) for n in other.var_names])


def protein_labels(adata: AnnData, tables: Sequence[Path]) -> None:
    """obs["label"] from a file that holds protein counts and cluster codes but no barcodes.

    Joined by exact equality of all 14 protein counts; a profile that two cells of either side
    share joins nothing. Cells without a match stay unlabelled.
    """
    import h5py
    import pandas as pd

    with h5py.File(tables[0], "r") as file:
        profiles, codes = file["X2"][:].astype(np.int64), file["Y"][:].astype(int)
    ours = adata.obsm["protein"][TENX_ORDER].to_numpy().astype(np.int64)
    known = pd.Series([CODES[int(code)] for code in codes], index=_keys(profiles))
    known = known[~known.index.duplicated(keep=False)]
    key = pd.Index(_keys(ours))
    label = known.reindex(key).where(~key.duplicated(keep=False))
    adata.obs["label"] = label.fillna("").to_numpy().astype(str)


def protein_gates(adata: AnnData, tables: Sequence[Path]) -> None:
    """obs["label"] by gates on the surface proteins of the file itself; "" in no gate.

    Raises DataError as `gates.types`.
    """
    from selfcell.data import gates

    adata.obs["label"] = gates.types(adata.obsm["protein"])


def _keys(matrix: Any) -> list[str]:
    return [",".join(map(str, row)) for row in matrix]


def _set_protein(adata: AnnData, values: Any, names: Sequence[str]) -> None:
    """Store proteins under their plain names (without the antibody panel's suffix)."""
    import pandas as pd

    plain = [re.sub(r"_TotalSeq[A-Z]$", "", name) for name in names]
    adata.obsm["protein"] = pd.DataFrame(
        np.asarray(values, dtype=np.float32), index=adata.obs_names, columns=plain
    )


JOINS: dict[str, Callable[[AnnData, Sequence[Path]], None]] = {
    "demuxlet": demuxlet,
    "protein_obsm": protein_obsm,
    "protein_csv": protein_csv,
    "protein_h5ad": protein_h5ad,
    "protein_labels": protein_labels,
    "protein_gates": protein_gates,
}
