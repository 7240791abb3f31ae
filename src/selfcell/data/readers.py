"""Read the formats cells come in, as AnnData with counts in compressed sparse rows.

Only what the study uses is read: one matrix, obs, var, and proteins measured beside the genes
(`obsm["protein"]`). `READERS` maps each format to its reader; all take the path and the spec.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from selfcell.data import hdf5, zarrs
from selfcell.data.fetch import obtain
from selfcell.data.joins import JOINS
from selfcell.data.parse import nearest
from selfcell.data.registry import DatasetSpec
from selfcell.errors import DataError, readable

if TYPE_CHECKING:
    from anndata import AnnData
    from scipy.sparse import csr_matrix

_ROWS = 1024
CONVERTED = "selfcell_converted"


def prepare(spec: DatasetSpec, cache: Path, mirrors: Sequence[str], out: Path) -> None:
    """Fetch a data set and write it to `out` as h5ad.

    A lone h5ad is copied as it is (a local one is linked to); other formats, and data sets onto
    which tables are joined, are converted. A slice of the Census is streamed.

    Raises:
        ConfigError: a slice of the Census without the extra that reads it.
        FetchError: a source is out of reach or not what was pinned.
        DataError: a source cannot be read.
    """
    if (chosen := spec.source.artefact.census) is not None:
        from selfcell.data import census

        roles = tuple(filter(None, (spec.label, spec.donor, spec.batch, spec.condition)))
        census.write(chosen, roles, lambda source: obtain(source, cache, mirrors), out)
        return
    path = obtain(spec.source, cache, mirrors)
    if not spec.converted:
        if spec.source.artefact.kind == "local":
            os.symlink(path, out)
        else:
            shutil.copyfile(path, out)
        return
    adata = read(path, spec)
    for join in spec.joins:
        tables = [obtain(source, cache, mirrors) for source in join.sources]
        JOINS[join.kind](adata, tables)
    adata.uns[CONVERTED] = True
    write_h5ad(adata, out)


def read(path: Path, spec: DatasetSpec) -> AnnData:
    """Read any known format. Raises DataError naming the file where it cannot be read."""
    kind = format_of(path, spec)
    with readable(str(path), kind):
        return READERS[kind](path, spec)


def format_of(path: Path, spec: DatasetSpec) -> str:
    """The spec's format; for `auto`, told from the file's name."""
    if spec.format != "auto":
        return spec.format
    name = path.name.lower()
    if path.is_dir():
        return "zarr" if name.endswith(".zarr") else "10x_mtx"
    for ending, found in (
        (".h5ad", "h5ad"),
        (".h5", "10x_h5"),
        (".csv", "csv"),
        (".csv.gz", "csv"),
    ):
        if name.endswith(ending):
            return found
    raise DataError(
        f"{path.name}: unknown kind of file",
        "h5ad, h5, csv, zarr",
        "give it the ending of its format",
    )


def read_h5ad(path: Path, spec: DatasetSpec) -> AnnData:
    """AnnData's own format; a dense matrix is made sparse block by block, never held whole.

    Raises:
        DataError: the layer is absent; names those there are.
    """
    import anndata

    with hdf5.opened(path) as file:
        has_raw = hdf5.held(file, "raw") is not None
        layers = list(hdf5.members(file, "layers")) + (["raw"] if has_raw else [])
        # what `prepare` converted has its counts in X, whichever layer they came from
        layer = "" if CONVERTED in hdf5.members(file, "uns") else spec.layer
        if layer and layer not in layers:
            raise DataError(f"{path} has no layer {layer!r}", nearest(layer, layers))
        raw = layer == "raw" and "raw" not in hdf5.members(file, "layers")
        at = "raw/X" if raw else f"layers/{layer}" if layer else "X"
        read_elem = anndata.io.read_elem
        adata = anndata.AnnData(
            X=_sparse_rows(file[at], read_elem),
            obs=read_elem(file["obs"]),
            var=read_elem(file["raw/var" if raw else "var"]),
        )
        for key in ("protein", "protein_expression"):
            if key in hdf5.members(file, "obsm"):
                adata.obsm[key] = read_elem(file[f"obsm/{key}"])
        if "protein_names" in hdf5.members(file, "uns"):
            adata.uns["protein_names"] = read_elem(file["uns/protein_names"])
    adata.uns["layers"] = layers
    return adata


def _sparse_rows(node: Any, read_elem: Callable[[Any], Any]) -> csr_matrix:
    """A stored matrix, dense or sparse, as float32 CSR; dense ones are read by 1,024 rows."""
    import h5py
    from scipy import sparse

    if not isinstance(node, h5py.Dataset):
        matrix = sparse.csr_matrix(zarrs.sound(read_elem(node)))
        return matrix if matrix.dtype == np.float32 else matrix.astype(np.float64)
    if node.ndim != 2:
        raise ValueError(f"a matrix of {node.ndim} dimensions")
    step = whole_chunks(node, _ROWS)
    blocks = [sparse.csr_matrix(node[start : start + step]) for start in range(0, len(node), step)]
    if not blocks:
        return sparse.csr_matrix(node.shape, dtype=np.float32)
    return sparse.vstack(blocks, format="csr")


def whole_chunks(node: Any, rows: int) -> int:
    """About so many rows of a stored matrix that whole storage chunks are read: a chunk read twice
    is decompressed twice. Dask names the rows of every chunk, other stores those of one."""
    chunks = getattr(node, "chunks", None)
    if not chunks:
        return rows
    chunk = max(chunks[0]) if isinstance(chunks[0], tuple) else chunks[0]
    return max(chunk, rows // chunk * chunk)


def read_10x_h5(path: Path, spec: DatasetSpec) -> AnnData:
    """10x Genomics HDF5 (Cell Ranger 3 and later); antibody counts go to `obsm["protein"]`."""
    import pandas as pd
    from scipy import sparse

    with hdf5.opened(path) as file:
        group = file["matrix"]
        n_features, n_cells = (int(n) for n in group["shape"][:])
        parts = (group["data"][:], group["indices"][:], group["indptr"][:])
        features = pd.DataFrame(
            {
                "symbol": group["features/name"].asstr()[:],
                "gene_ids": group["features/id"].asstr()[:],
                "kind": group["features/feature_type"].asstr()[:],
            }
        )
        barcodes = group["barcodes"].asstr()[:]
    matrix = zarrs.sound(sparse.csr_matrix(parts, shape=(n_cells, n_features)))
    return _from_features(matrix, barcodes, features)


def read_10x_mtx(path: Path, spec: DatasetSpec) -> AnnData:
    """10x Genomics folder: matrix.mtx, features.tsv or genes.tsv, barcodes.tsv; gzip or not."""
    import pandas as pd
    from scipy import io, sparse

    def find(*names: str) -> Path:
        for name in names:
            for candidate in (path / name, path / f"{name}.gz"):
                if candidate.exists():
                    return candidate
        raise DataError(f"{path} holds no {names[0]}", "matrix.mtx, features.tsv, barcodes.tsv")

    table = pd.read_csv(find("features.tsv", "genes.tsv"), sep="\t", header=None, dtype=str)
    features = pd.DataFrame(
        {
            "symbol": table[1],
            "gene_ids": table[0],
            "kind": table[2] if table.shape[1] > 2 else "Gene Expression",
        }
    )
    barcodes = pd.read_csv(find("barcodes.tsv"), sep="\t", header=None, dtype=str)[0].to_numpy()
    matrix = sparse.csr_matrix(io.mmread(find("matrix.mtx")).T)
    return _from_features(matrix, barcodes, features)


def read_csv(path: Path, spec: DatasetSpec) -> AnnData:
    """Comma-separated text, genes in rows and cells in columns, the first column and row named."""
    import anndata
    import pandas as pd
    from scipy import sparse

    blocks, genes = [], []
    for block in pd.read_csv(path, index_col=0, chunksize=500):
        blocks.append(sparse.csr_matrix(block.to_numpy(dtype=np.float32)))
        genes += [str(name) for name in block.index]
    columns = [str(name) for name in block.columns]
    return anndata.AnnData(
        X=sparse.vstack(blocks).T.tocsr(),
        obs=pd.DataFrame(index=pd.Index(columns)),
        var=pd.DataFrame(index=pd.Index(genes)),
    )


def read_zarr(path: Path, spec: DatasetSpec) -> AnnData:
    """AnnData written as zarr; read whole."""
    import anndata
    from scipy import sparse

    adata = zarrs.whole(path)
    if spec.layer and spec.layer not in adata.layers:
        raise DataError(f"{path} has no layer {spec.layer!r}", nearest(spec.layer, adata.layers))
    chosen = adata.layers[spec.layer] if spec.layer else adata.X
    result = anndata.AnnData(X=sparse.csr_matrix(chosen), obs=adata.obs, var=adata.var)
    result.uns["layers"] = list(adata.layers)
    return result


def write_h5ad(adata: AnnData, path: Path) -> None:
    """Write h5ad with plain strings; the same cells give the same bytes."""
    # gzip, since the bytes LZF writes differ from run to run
    adata.write_h5ad(
        path, compression="gzip", compression_opts=1, convert_strings_to_categoricals=False
    )


def _from_features(matrix: Any, barcodes: Any, features: Any) -> AnnData:
    """Part genes from antibodies."""
    import anndata
    import pandas as pd

    gene = (features["kind"] == "Gene Expression").to_numpy()
    antibody = (features["kind"] == "Antibody Capture").to_numpy()
    obs = pd.DataFrame(index=pd.Index([str(name) for name in barcodes]))
    var = features.loc[gene, ["symbol", "gene_ids"]].set_index("symbol")
    var.index.name = None
    adata = anndata.AnnData(X=matrix[:, gene].astype(np.float32).tocsr(), obs=obs, var=var)
    if antibody.any():
        names = [str(name) for name in features.loc[antibody, "symbol"]]
        proteins = matrix[:, antibody].toarray().astype(np.float32)
        adata.obsm["protein"] = pd.DataFrame(proteins, index=obs.index, columns=names)
    return adata


READERS: dict[str, Callable[[Path, DatasetSpec], AnnData]] = {
    "h5ad": read_h5ad,
    "10x_h5": read_10x_h5,
    "10x_mtx": read_10x_mtx,
    "csv": read_csv,
    "zarr": read_zarr,
}
