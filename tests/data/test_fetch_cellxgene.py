"""Data sets of CELLxGENE by id, from a real server."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import anndata
import numpy as np
import pytest

from selfcell.data.artefacts import Artefact
from selfcell.data.fetch import fetch
from selfcell.errors import FetchError
from tests.data.http_server import QUICK, SHA, Server

ID = "9f222629-9e39-47d0-b83f-e08d610c7479"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    made = Server()
    yield made
    made.http.shutdown()
    made.http.server_close()


def of_cellxgene(server: Server, sha256: str = "") -> Artefact:
    """A data set by its id, from this server instead of the public one."""
    base = server.url.removesuffix("/x.bin")
    return Artefact(name="x", kind="cellxgene", dataset=ID, url=base, sha256=sha256)


@pytest.fixture
def h5ad(tmp_path: Path) -> bytes:
    """A small h5ad."""
    cells = anndata.AnnData(np.ones((30, 50), np.float32))
    cells.write_h5ad(tmp_path / "made.h5ad")
    return (tmp_path / "made.h5ad").read_bytes()


def test_a_data_set_of_cellxgene_by_its_id(server: Server, tmp_path: Path, h5ad: bytes) -> None:
    server.body = h5ad
    made = of_cellxgene(server)
    assert made.url.endswith(f"/{ID}.h5ad")
    assert Artefact.model_validate_json(made.model_dump_json()) == made
    server.script = ["truncated"]
    path = fetch(made, tmp_path / "cache", patience=QUICK)
    assert (path.name, path.read_bytes()) == (f"{ID}.h5ad", h5ad)
    assert len(server.paths) == 2 and set(server.paths) == {f"/{ID}.h5ad"}
    assert fetch(made, tmp_path / "cache", patience=QUICK) == path
    assert len(server.paths) == 2
    assert list((tmp_path / "cache").rglob(".*.part")) == []


def test_another_copy_is_not_taken_for_the_first(
    server: Server, tmp_path: Path, h5ad: bytes
) -> None:
    server.body = h5ad
    path = fetch(of_cellxgene(server), tmp_path / "cache", patience=QUICK)
    server.body = h5ad[:-1] + b"!"
    path.write_bytes(b"damaged")
    first = hashlib.sha256(h5ad).hexdigest()
    with pytest.raises(FetchError, match=f"sha256.*needed: sha256 {first}"):
        fetch(of_cellxgene(server), tmp_path / "cache", patience=QUICK)


def test_what_is_no_h5ad_is_no_first_copy(server: Server, tmp_path: Path, h5ad: bytes) -> None:
    for body in (b"<html>gone</html>", h5ad[:-3000]):
        server.body = body
        with pytest.raises(FetchError, match="gave no whole h5ad.*check the id"):
            fetch(of_cellxgene(server), tmp_path / "cache", patience=QUICK)
    assert not list((tmp_path / "cache").rglob("*.h5ad*"))
    server.body = h5ad
    assert fetch(of_cellxgene(server), tmp_path / "cache", patience=QUICK).read_bytes() == h5ad


def test_a_pinned_data_set_must_be_the_pinned(server: Server, tmp_path: Path, h5ad: bytes) -> None:
    server.body = h5ad
    with pytest.raises(FetchError, match=f"needed: sha256 {SHA}"):
        fetch(of_cellxgene(server, SHA), tmp_path / "cache", patience=QUICK)
