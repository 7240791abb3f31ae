"""AnnData-zarr of others: what is damaged is refused before a library trips over it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import zarr
from zarr.codecs import BloscCodec, numcodecs

from selfcell.data.zarrs import HEADER, require_packed, sound, whole
from selfcell.errors import DataError
from tests.cells import user_cells

pytestmark = pytest.mark.filterwarnings("ignore:Writing zarr v2 data")


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store whose matrices Blosc packed."""
    path = tmp_path / "cells.zarr"
    user_cells(12).write_zarr(path)
    return path


def test_a_sound_store_is_read_whole(store: Path) -> None:
    cells, read = user_cells(12), whole(store)
    assert (read.X != cells.X).nnz == 0 and list(read.obs_names) == list(cells.obs_names)
    assert '"blosc"' in (store / "X/data/.zarray").read_text().replace(" ", "")


@pytest.mark.parametrize(
    ("place", "value"), [(3, 0), (5, 0), (5, 10**6), (6, 10**6), (6, 12)], ids=str
)
def test_a_head_that_lies_is_refused(store: Path, place: int, value: int) -> None:
    chunk = store / "X/data/0"
    content = bytearray(chunk.read_bytes())
    head = list(HEADER.unpack(content[: HEADER.size]))
    head[place] = value
    chunk.write_bytes(HEADER.pack(*head) + content[HEADER.size :])
    with pytest.raises(DataError, match=r"X/data/0 of \d+ bytes is damaged"):
        whole(store)


@pytest.mark.parametrize("length", [0, 15, 40])
def test_a_chunk_cut_short_is_refused(store: Path, length: int) -> None:
    chunk = store / "X/indices/0"
    chunk.write_bytes(chunk.read_bytes()[:length])
    with pytest.raises(DataError, match=f"X/indices/0 of {length} bytes is damaged"):
        whole(store)


@pytest.mark.filterwarnings("ignore:Numcodecs codecs are not in the Zarr version 3")
@pytest.mark.parametrize("codec", [BloscCodec, numcodecs.Blosc], ids=["zarr", "numcodecs"])
def test_blosc_of_the_third_format_is_checked_too(codec: type, tmp_path: Path) -> None:
    made = {"shape": (8,), "dtype": "i4", "compressors": codec(), "zarr_format": 3}
    zarr.create_array(tmp_path / "a", chunks=(4,), **made)[:] = np.arange(8)
    require_packed(tmp_path)
    (tmp_path / "a/c/1").write_bytes(b"123")
    with pytest.raises(DataError, match="a/c/1 of 3 bytes"):
        require_packed(tmp_path)
    zarr.create_array(tmp_path / "b", chunks=(2,), shards=(4,), **made)[:] = np.arange(8)
    (tmp_path / "a/c/1").unlink()
    with pytest.raises(DataError, match="b lies in shards .*cannot be checked"):
        require_packed(tmp_path)


def test_chunks_of_other_codecs_are_left_to_them(tmp_path: Path) -> None:
    zarr.create_array(tmp_path / "a", shape=(4,), dtype="i4", zarr_format=3)[:] = 1
    (tmp_path / "a/c/0").write_bytes(b"123")
    require_packed(tmp_path)


def test_indices_that_lead_out_of_a_matrix_are_refused() -> None:
    matrix = user_cells(3).X.tocsr()
    assert sound(matrix) is matrix
    matrix.indices[0] = matrix.shape[1]
    with pytest.raises(ValueError, match="indices"):
        sound(matrix)
