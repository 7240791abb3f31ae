"""AnnData-zarr as others wrote it: a folder of many files, any of which may be damaged."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from selfcell.errors import DataError

if TYPE_CHECKING:
    from anndata import AnnData

HEADER = struct.Struct("<4BIII")
"""Of a chunk that Blosc packed (its README_CHUNK_FORMAT): version, version of the codec, flags,
bytes of an item, bytes unpacked, bytes of a block, bytes packed with this header."""


def whole(path: Path) -> AnnData:
    """All of a store. Raises DataError as `require_packed`, ValueError for a sparse matrix whose
    indices lead out of it, and whatever zarr and anndata raise."""
    import anndata

    require_packed(path)
    adata = anndata.io.read_zarr(path)
    for matrix in (adata.X, *adata.layers.values(), *([] if adata.raw is None else [adata.raw.X])):
        sound(matrix)
    return adata


def sound(matrix: Any) -> Any:
    """The same matrix. Raises ValueError for a sparse one whose indices lead out of it: SciPy would
    write there."""
    if hasattr(matrix, "check_format"):
        matrix.check_format()
    return matrix


def require_packed(path: Path) -> None:
    """Raise DataError for a chunk that Blosc cannot have packed.

    Blosc trusts what the head of a chunk says of its length, and reads or writes beyond it where
    that is not so: the whole process would end without a word.
    """
    for chunk in _chunks(path):
        with chunk.open("rb") as file:
            head = file.read(HEADER.size)
        held = chunk.stat().st_size
        if len(head) == HEADER.size:
            _, _, _, item, unpacked, block, packed = HEADER.unpack(head)
            if packed == held and item > 0 and (0 < block <= unpacked or unpacked == 0):
                continue
        raise DataError(
            f"{chunk} of {held} bytes is damaged: no chunk that Blosc packed",
            "an intact zarr store",
            "copy it anew",
        )


def _chunks(path: Path) -> Iterator[Path]:
    """Files that Blosc unpacks."""
    for about in sorted([*path.rglob(".zarray"), *path.rglob("zarr.json")]):
        array = json.loads(about.read_text(encoding="utf-8"))
        if not isinstance(array, dict) or array.get("node_type") == "group":
            continue
        codecs = json.dumps([array.get("compressor"), array.get("filters"), array.get("codecs")])
        if 'blosc"' not in codecs:  # "numcodecs.blosc" too
            continue
        if '"sharding_indexed"' in codecs:
            raise DataError(
                f"{about.parent} lies in shards that Blosc packed, which cannot be checked",
                "a zarr store without shards, or packed by zstd",
                "write it anew, as h5ad for one",
            )
        inside = (each for each in about.parent.rglob("*") if each.is_file())
        yield from (each for each in inside if each.name not in (".zarray", ".zattrs", "zarr.json"))
