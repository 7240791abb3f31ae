"""Files of cells as bad as they come: the doctor always answers, with an exit code of its own."""

from __future__ import annotations

import io
from pathlib import Path

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from selfcell import cli
from tests.cells import user_cells
from tests.fuzz.hostile import TEXT, answer, cases, damaged, nothing_but

ODD = "12 letters: é, ü, 'x'"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that every case fills anew."""
    return tmp_path_factory.mktemp("doctor")


def h5ad(cells: anndata.AnnData) -> bytes:
    """What AnnData writes."""
    stream = io.BytesIO()
    with h5py.File(stream, "w") as file:
        anndata.io.write_elem(file, "/", cells)
    return stream.getvalue()


SMALL = user_cells(12)[:, :8].copy()
FILE = h5ad(SMALL)


def test_the_undamaged_file_is_read(folder: Path) -> None:
    path = folder / "cells.h5ad"
    path.write_bytes(FILE)
    assert answer(path) in (0, 1)


@cases(300)
@given(content=damaged(FILE))
def test_damaged_files(content: bytes, folder: Path) -> None:
    path = folder / "cells.h5ad"
    path.write_bytes(content)
    with nothing_but(folder):
        assert answer(path) in (0, 1, 2)


def varied() -> anndata.AnnData:
    """Cells with a part of every kind."""
    cells = SMALL.copy()
    cells.obs["type"] = pd.Categorical(["a", "b"] * 6)
    cells.obs["n"] = pd.array([1, None] * 6, dtype="Int64")
    cells.raw = cells.copy()
    cells.layers["dense"] = cells.X.toarray()
    cells.layers["columns"] = cells.X.tocsc()
    return cells


WHOLE = h5ad(varied())
VALUES_OF_PARTS = st.sampled_from(
    [0, -1, 1.5, 2**40, "x", "", [], [1, 2], [[1.0]], [2**40, 2**40], np.zeros(12, complex)]
)


@st.composite
def changed(draw: st.DrawFn) -> bytes:
    """A file one part of which, or of whose attributes, is another, away, or longer than memory."""
    stream = io.BytesIO(WHOLE)
    with h5py.File(stream, "r+") as file:
        names: list[str] = []
        file.visit(names.append)
        node, value = file[draw(st.sampled_from(names))], draw(VALUES_OF_PARTS)
        kept, kind = dict(node.attrs), draw(st.sampled_from(["part", "attribute", "long", "away"]))
        name, dtype = node.name, getattr(node, "dtype", np.dtype("f8"))
        if kind == "attribute" and kept:
            node.attrs[draw(st.sampled_from(sorted(kept)))] = value
        else:
            del file[name]
            if kind == "part":
                file[name] = value
            elif kind != "away":
                shape = (draw(st.sampled_from([13, 2**26, 2**44])),) * draw(st.integers(1, 2))
                file.create_dataset(name, shape, dtype, chunks=True).attrs.update(kept)
    return stream.getvalue()


@cases(200)
@given(content=changed())
def test_files_of_changed_parts(content: bytes, folder: Path) -> None:
    path = folder / "cells.h5ad"
    path.write_bytes(content)
    assert answer(path) in (0, 1, 2)


@cases(40)
@given(content=st.binary(max_size=100), ending=st.sampled_from([".h5ad", ".h5", ".csv", ".csv.gz"]))
def test_files_of_anything(content: bytes, ending: str, folder: Path) -> None:
    path = folder / f"cells{ending}"
    path.write_bytes(content)
    assert answer(path) in (0, 1, 2)


VALUES = st.sampled_from([0, 1, 2, 255, 256, 0.5, -1, np.nan, np.inf, 1e30, 2**40])
COLUMN = st.sampled_from(["cell_type", "batch", "a/b", "", ODD, "selfcell_label", "n"])
ENTRY = TEXT | st.sampled_from(["nan", "", ODD, "T cell"]) | st.integers(-3, 3) | st.floats()


@st.composite
def odd_cells(draw: st.DrawFn) -> anndata.AnnData:
    """A few cells with odd values, names and columns."""
    n, g = draw(st.integers(0, 4)), draw(st.integers(0, 5))
    values = draw(st.lists(VALUES, min_size=n * g, max_size=n * g))
    X = np.array(values, dtype=draw(st.sampled_from([np.float32, np.float64]))).reshape(n, g)
    made = draw(st.sampled_from([np.asarray, sparse.csr_matrix, sparse.csc_matrix]))(X)
    some = st.sampled_from(["CD3E", "Cd3e", "ENSG00000000001.7", "ENSMUSG00000000001", "1", ODD])
    genes = draw(st.lists(some, min_size=g, max_size=g))
    columns = draw(st.lists(COLUMN, max_size=3, unique=True))
    obs = pd.DataFrame(
        {name: [str(draw(ENTRY)).replace("\0", "") for _ in range(n)] for name in columns},
        index=[f"c{i % 3}" for i in range(n)],
        dtype=object,
    )
    cells = anndata.AnnData(made, obs=obs, var=pd.DataFrame(index=genes))
    if draw(st.booleans()):
        cells.layers["counts"] = made
    return cells


@cases(120)
@given(cells=odd_cells())
@pytest.mark.filterwarnings("ignore:(Observation|Variable) names are not unique")
def test_odd_cells(cells: anndata.AnnData, folder: Path) -> None:
    path = folder / "odd.h5ad"
    cells.obs = cells.obs[[name for name in cells.obs if name and "/" not in name]]
    path.write_bytes(h5ad(cells))
    assert answer(path) in (0, 1, 2)


def test_a_label_with_commas_and_accents_is_shown_as_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    cells = user_cells(40)
    cells.obs[f"label {ODD}"] = pd.Categorical([ODD, "b"] * 20)
    cells.write_h5ad(tmp_path / "cells.h5ad")
    with pytest.raises(SystemExit):
        cli.main(["doctor", str(tmp_path / "cells.h5ad"), "--debug"])
    assert ODD in capsys.readouterr().out
