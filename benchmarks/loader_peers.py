"""The peers of the benchmark of loaders, each at the best setting that its documentation names.

A system is (prepare, batches): `prepare(data, work)` converts the cells to the system's own format,
and `batches(data, work, batch, dense)` yields (batch, cell numbers) of one epoch, as counts. Each
imports its own libraries alone, out of an environment that may hold no other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

Batches = Iterator[tuple[Any, np.ndarray]]
KEPT: dict[str, Any] = {}  # what a system opens once, not every epoch


# Cells of those that take minutes to write: enough for a rate. tiledbsoma-ml reads so many at once.
SOME = {"dense parquet": 16_384}


def some_of(system: str, cells: int) -> int:
    """How many of the cells a system is given."""
    return min(cells, SOME.get(system, cells))


def nothing(data: Path, work: Path) -> None:
    """Reads the file as it is."""


def annbatch_prepare(data: Path, work: Path) -> None:
    import zarr
    from annbatch import DatasetCollection

    zarr.config.set({"codec_pipeline.path": "zarrs.ZarrsCodecPipeline"})
    DatasetCollection(zarr.open(work / "annbatch", mode="w")).add_adatas([data])


def annbatch_batches(data: Path, work: Path, batch: int, dense: bool) -> Batches:
    import zarr
    from annbatch import DatasetCollection, Loader

    zarr.config.set({"codec_pipeline.path": "zarrs.ZarrsCodecPipeline"})
    loader = Loader(batch_size=batch, chunk_size=256, preload_nchunks=32, shuffle=True)
    loader.use_collection(DatasetCollection(work / "annbatch", mode="r"))
    for got in loader:
        x = got["X"].toarray() if dense else got["X"]
        yield x, got["obs"]["number"].to_numpy()


def scvi_batches(data: Path, work: Path, batch: int, dense: bool) -> Batches:
    import anndata
    from scvi.data import AnnDataManager
    from scvi.data.fields import LayerField, NumericalObsField
    from scvi.dataloaders import AnnDataLoader

    if "manager" not in KEPT:
        cells = anndata.read_h5ad(data)
        fields = [LayerField("X", None, is_count_data=True), NumericalObsField("n", "number")]
        KEPT["manager"] = AnnDataManager(fields=fields)
        KEPT["manager"].register_fields(cells)
    loader = AnnDataLoader(
        KEPT["manager"], batch_size=batch, shuffle=True, load_sparse_tensor=not dense
    )
    for got in loader:
        yield got["X"], got["n"].numpy().ravel().astype(np.int64)


def scdataset_batches(data: Path, work: Path, batch: int, dense: bool) -> Batches:
    import anndata
    from scdataset import BlockShuffling, scDataset

    cells = KEPT.setdefault("cells", anndata.read_h5ad(data, backed="r"))

    def fetch(_: Any, index: Any) -> tuple[Any, np.ndarray]:
        return cells.X[np.asarray(index)], np.asarray(index)

    def cut(got: tuple[Any, np.ndarray], index: Any) -> tuple[Any, np.ndarray]:
        x = got[0][index]
        return (x.toarray() if dense else x), got[1][index]

    yield from scDataset(
        cells, BlockShuffling(64), batch_size=batch, fetch_factor=8,
        fetch_callback=fetch, batch_callback=cut, seed=0,
    )  # fmt: skip


def scdl_prepare(data: Path, work: Path) -> None:
    from bionemo.scdl.io.single_cell_memmap_dataset import SingleCellMemMapDataset

    # the name means "X, which holds normalised values": here it holds counts
    SingleCellMemMapDataset(str(work / "scdl"), str(data), use_X_not_raw=True).save()


def scdl_batches(data: Path, work: Path, batch: int, dense: bool) -> Batches:
    import torch
    from bionemo.scdl.io.single_cell_memmap_dataset import SingleCellMemMapDataset
    from bionemo.scdl.util.torch_dataloader_utils import collate_sparse_matrix_batch

    cells = KEPT.setdefault("cells", SingleCellMemMapDataset(str(work / "scdl")))
    order = torch.randperm(len(cells)).split(batch)
    for index in order:
        x = collate_sparse_matrix_batch([cells[int(i)] for i in index])
        yield (x.to_dense() if dense else x), index.numpy()


def parquet_prepare(data: Path, work: Path) -> None:
    import anndata
    import pyarrow as pa
    import pyarrow.parquet as pq

    cells = anndata.read_h5ad(data, backed="r")
    genes = cells.n_vars
    schema = pa.schema([("X", pa.list_(pa.float32(), genes)), ("number", pa.int64())])
    with pq.ParquetWriter(work / "dense.parquet", schema) as writer:
        for start in range(0, some_of("dense parquet", cells.n_obs), 1024):
            x = cells.X[start : start + 1024].toarray()
            rows = pa.FixedSizeListArray.from_arrays(pa.array(x.ravel()), genes)
            number = pa.array(np.arange(start, start + len(x)))
            writer.write_table(pa.table([rows, number], schema=schema))


def parquet_batches(data: Path, work: Path, batch: int, dense: bool) -> Batches:
    import pyarrow.parquet as pq

    for rows in pq.ParquetFile(work / "dense.parquet").iter_batches(batch):
        x = rows["X"].flatten().to_numpy().reshape(len(rows), -1)
        yield x, rows["number"].to_numpy()


def soma_prepare(data: Path, work: Path) -> None:
    import tiledbsoma.io

    tiledbsoma.io.from_h5ad(str(work / "soma"), str(data), "RNA", X_layer_name="raw")


def soma_batches(data: Path, work: Path, batch: int, dense: bool) -> Batches:
    import tiledbsoma
    from tiledbsoma_ml import ExperimentDataset, experiment_dataloader

    KEPT["epoch"] = KEPT.get("epoch", -1) + 1
    with tiledbsoma.Experiment.open(str(work / "soma")) as experiment:
        query = experiment.axis_query("RNA")
        cells = ExperimentDataset(
            query, "raw", obs_column_names=["number"], batch_size=batch, seed=KEPT["epoch"],
            return_sparse_X=not dense,
        )  # fmt: skip
        for x, obs in experiment_dataloader(cells):
            yield x, obs["number"].to_numpy()


def mapped_batches(data: Path, work: Path, batch: int, dense: bool) -> Batches:
    from lamindb.core import MappedCollection

    cells = KEPT.setdefault("cells", MappedCollection([str(data)]))
    order = np.random.default_rng().permutation(len(cells))
    for index in np.split(order, range(batch, len(order), batch)):
        yield np.stack([cells[int(i)]["X"] for i in index]), index


PEERS: dict[str, tuple[Callable[[Path, Path], None], Callable[..., Batches]]] = {
    "annbatch": (annbatch_prepare, annbatch_batches),
    "scvi-tools": (nothing, scvi_batches),
    "scDataset": (nothing, scdataset_batches),
    "SCDL": (scdl_prepare, scdl_batches),
    "tiledbsoma-ml": (soma_prepare, soma_batches),
    "MappedCollection": (nothing, mapped_batches),
    "dense parquet": (parquet_prepare, parquet_batches),
}
