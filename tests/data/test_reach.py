"""What cannot be had is known before the study starts: asked of real servers and a real pip."""

from __future__ import annotations

import functools
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from selfcell.data import reach
from selfcell.data.artefacts import Artefact
from selfcell.data.reach import out_of_reach

SHA = "0" * 64
WHEEL = "tiny_cells-1.2.0-py3-none-any.whl"


@pytest.fixture
def address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A server of a file and of a package index; it notes what was sent beyond heads."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    (tmp_path / "cells.h5ad").write_bytes(b"cells")
    index = tmp_path / "simple" / "tiny-cells"
    index.mkdir(parents=True)
    (index / "index.html").write_text(f'<a href="{WHEEL}">{WHEEL}</a>')

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            assert self.path.startswith("/simple/"), "a file was fetched"
            super().do_GET()

        def log_message(self, *args: object) -> None:
            pass

    handler = functools.partial(Quiet, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        own = f"http://127.0.0.1:{server.server_port}"
        monkeypatch.setenv("PIP_INDEX_URL", f"{own}/simple")
        for name in ("PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL"):
            monkeypatch.setenv(name, "")
        monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
        yield own
        server.shutdown()


def https(name: str, url: str) -> Artefact:
    entry = {"name": name, "kind": "https", "url": url, "file": url.split("/")[-1]}
    return Artefact.model_validate(entry | {"sha256": SHA})


def package(name: str, version: str) -> Artefact:
    entry = {"name": name, "kind": "registry", "package": "tiny-cells", "version": version}
    return Artefact.model_validate(entry | {"file": WHEEL, "sha256": SHA})


def test_addresses_are_asked_and_nothing_is_fetched(address: str) -> None:
    here, gone = https("here", f"{address}/cells.h5ad"), https("gone", f"{address}/other.h5ad")
    refused = https("refused", "http://127.0.0.1:9/cells.h5ad")
    found = out_of_reach([here, gone, refused], [], wait_s=5)
    assert set(found) == {"gone", "refused"}
    assert "other.h5ad: 404" in found["gone"] and "refused" in found["refused"].lower()


def test_a_mirror_that_holds_the_file_is_enough(address: str) -> None:
    moved = https("moved", "http://127.0.0.1:9/cells.h5ad")
    assert set(out_of_reach([moved], [], wait_s=5)) == {"moved"}
    assert out_of_reach([moved], [address], wait_s=5) == {}


def test_pip_is_asked_for_the_version(address: str) -> None:
    wanted = [package("right", "1.2.0"), package("late", "1.3.0")]
    found = out_of_reach(wanted, [], wait_s=5)
    assert set(found) == {"late"}
    assert found["late"].startswith("tiny-cells==1.3.0: ")


def census(address: str) -> Artefact:
    entry = {
        "name": "census",
        "kind": "census",
        "census": {"version": "2023-05-15", "uri": address},
    }
    return Artefact.model_validate(entry)


def test_a_bucket_has_to_answer_and_a_folder_to_be_there(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slices = [census("s3://bucket/soma/"), census(str(tmp_path)), census(str(tmp_path / "gone"))]
    for number, each in enumerate(slices):
        slices[number] = each.model_copy(update={"name": f"slice{number}"})
    monkeypatch.setattr(reach, "S3", f"{address}/cells.h5ad?{{bucket}}")
    assert set(out_of_reach(slices, [], wait_s=5)) == {"slice2"}
    monkeypatch.setattr(reach, "S3", "http://127.0.0.1:9/{bucket}")
    assert set(out_of_reach(slices, [], wait_s=5)) == {"slice0", "slice2"}
