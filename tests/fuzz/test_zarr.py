"""AnnData-zarr, a folder of many small files, each of which may be bad."""

from __future__ import annotations

import json
import shutil
import warnings
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cells import user_cells
from tests.fuzz.hostile import VALUES, answer, cases, damaged, nothing_but, places, replaced


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sound store with a part of every kind."""
    cells = user_cells(12)[:, :8].copy()
    cells.raw = cells.copy()
    cells.layers["dense"] = cells.X.toarray()
    cells.layers["columns"] = cells.X.tocsc()
    path = tmp_path_factory.mktemp("zarr") / "whole.zarr"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of zarr, about the format of texts
        cells.write_zarr(path)
    return path


def part(data: st.DataObject, whole: Path, wanted: str = "*") -> Path:
    """A copy of the store, and one file of it."""
    path = whole.with_name("cells.zarr")
    shutil.rmtree(path, ignore_errors=True)
    shutil.copytree(whole, path)
    parts = sorted(
        each for each in path.rglob(wanted) if each.is_file() and each.stat().st_size > 2
    )
    return data.draw(st.sampled_from(parts))


def test_the_undamaged_store_is_read(whole: Path) -> None:
    assert answer(whole) in (0, 1)


@cases(150)
@given(data=st.data())
def test_damaged_files(data: st.DataObject, whole: Path) -> None:
    file = part(data, whole)
    if data.draw(st.booleans()):
        file.write_bytes(data.draw(damaged(file.read_bytes() or b"0")))
    else:
        file.unlink()
    with nothing_but(whole.parent):
        assert answer(whole.with_name("cells.zarr")) in (0, 1, 2)


@cases(150)
@given(data=st.data())
def test_changed_descriptions(data: st.DataObject, whole: Path) -> None:
    """Shapes longer than memory and names that lead elsewhere among them."""
    file = part(data, whole, ".z*")
    about: Any = json.loads(file.read_text())
    new = VALUES | st.sampled_from([[2**44], [2**26, 2**26], "../../evil"])
    at = data.draw(st.sampled_from(sorted(places(about), key=str)))
    file.write_text(json.dumps(replaced(about, at, data.draw(new)), default=str))
    with nothing_but(whole.parent):
        assert answer(whole.with_name("cells.zarr")) in (0, 1, 2)
