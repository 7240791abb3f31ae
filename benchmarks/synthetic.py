"""Made-up cells for the benchmarks: as many as wanted, written in a stream.

60 types in 20 data sets, each run of cells of one kind in one piece, which is the worst order for
a loader that reads neighbours. Genes have log-normal shares, each type its own; a cell's molecules
are drawn one by one. At 19,331 genes a cell has about 1,500 values, 72 % of them 1.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
from anndata import AnnData
from numba import njit
from scipy import sparse

from selfcell.keys import generator

TYPES, SETS, GENES, MOLECULES, SPREAD = 60, 20, 19_331, 2_400, 1.85
BLOCK = 4096


@njit(cache=True)
def _draw(rng, cumulative, kind, molecules):  # type: ignore[no-untyped-def]
    genes = cumulative.shape[1]
    count = np.zeros(genes, np.int32)
    indptr = np.zeros(len(kind) + 1, np.int64)
    indices = np.empty(molecules.sum(), np.int32)
    data = np.empty(molecules.sum(), np.float32)
    n = 0
    for cell in range(len(kind)):
        # Sorted uniforms in one pass (spacings of exponentials), then one merge with the shares.
        spacing = rng.standard_exponential(molecules[cell] + 1)
        total, u, g = spacing.sum(), 0.0, 0
        shares = cumulative[kind[cell]]
        for molecule in range(molecules[cell]):
            u += spacing[molecule] / total
            while shares[g] < u and g < genes - 1:
                g += 1
            count[g] += 1
        for gene in range(genes):
            if count[gene]:
                indices[n], data[n] = gene, count[gene]
                count[gene] = 0
                n += 1
        indptr[cell + 1] = n
    return indptr, indices[:n].copy(), data[:n].copy()


def blocks(cells: int, genes: int = GENES, molecules: int = MOLECULES) -> Iterator[AnnData]:
    """The cells in blocks, as quality control would write them; `molecules` is their median."""
    rng = generator("synthetic", genes)
    base = rng.normal(0, SPREAD, genes)
    weight = np.exp(base + rng.normal(0, 0.5, (TYPES, genes)))
    cumulative = np.cumsum(weight / weight.sum(axis=1, keepdims=True), axis=1)
    names = pd.Index([f"ENSG{i:011d}" for i in range(genes)])
    for start in range(0, cells, BLOCK):
        number = np.arange(start, min(start + BLOCK, cells))
        run = number * (TYPES * SETS) // cells
        kind = run % TYPES
        drawn = generator("synthetic", start).lognormal(np.log(molecules), 0.5, len(number))
        draws = generator("molecules", start)
        indptr, indices, data = _draw(draws, cumulative, kind, drawn.astype(np.int64) + 1)
        x = sparse.csr_matrix((data, indices, indptr), shape=(len(number), genes))
        obs = pd.DataFrame(
            {
                "label": [f"type{k:02d}" for k in kind],
                "donor": [f"donor{r // TYPES}" for r in run],
                "batch": "1",
                "condition": "none",
                "number": number,
                "total_counts": np.asarray(x.sum(axis=1)).ravel().astype(np.int64),
            },
            index=[f"cell{i}" for i in number],
        )
        yield AnnData(x, obs=obs, var=pd.DataFrame({"symbol": names}, index=names))


def vocabulary(genes: int = GENES) -> pd.DataFrame:
    """All the genes."""
    names = [f"ENSG{i:011d}" for i in range(genes)]
    return pd.DataFrame({"gene_id": names, "symbol": names})


def write_h5ad(path: Path, cells: int) -> None:
    """The cells as an AnnData file, uncompressed, in bounded memory."""
    parts = blocks(cells)
    first = next(parts)
    first.write_h5ad(path)
    obs = [first.obs]
    with h5py.File(path, "a") as file:
        group = file["X"]
        for name in ("data", "indices"):
            values = group[name][:]
            del group[name]
            group.create_dataset(name, data=values, maxshape=(None,), chunks=(1 << 20,))
        indptr = [first.X.indptr.astype(np.int64)]
        for part in parts:
            for name, values in (("data", part.X.data), ("indices", part.X.indices)):
                end = len(group[name])
                group[name].resize((end + len(values),))
                group[name][end:] = values
            indptr.append(part.X.indptr[1:].astype(np.int64) + indptr[-1][-1])
            obs.append(part.obs)
        del group["indptr"]
        group["indptr"] = np.concatenate(indptr)
        group.attrs["shape"] = (cells, GENES)
        from anndata.io import write_elem

        write_elem(file, "obs", pd.concat(obs))
