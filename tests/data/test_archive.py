"""Members of archives, and archives within archives."""

from __future__ import annotations

import hashlib
import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from selfcell.data.fetch import obtain
from selfcell.data.registry import Artefact, Source
from selfcell.errors import FetchError


def local_source(path: Path, *member: str, content: bytes = b"inner") -> Source:
    return Source(
        artefact=Artefact(name="z", kind="local", path=str(path)),
        member=member,
        sha256=hashlib.sha256(content).hexdigest(),
    )


def test_archives_within_archives(tmp_path: Path) -> None:
    inner = io.BytesIO()
    with tarfile.open(fileobj=inner, mode="w:gz") as tar:
        entry = tarfile.TarInfo("deep/x")
        entry.size = 5
        tar.addfile(entry, io.BytesIO(b"inner"))
    outer = tmp_path / "outer.zip"
    with zipfile.ZipFile(outer, "w") as archive:
        archive.writestr("a/inner.tar.gz", inner.getvalue())
    found = obtain(local_source(outer, "a/inner.tar.gz", "deep/x"), tmp_path / "cache")
    assert found.read_bytes() == b"inner"
    assert sorted(p.name for p in found.parent.iterdir()) == [".x.lock", "x"]


def test_a_member_that_is_not_the_pinned(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "z.zip", "w") as archive:
        archive.writestr("x", b"other")
    sums = [hashlib.sha256(text).hexdigest() for text in (b"other", b"inner")]
    with pytest.raises(FetchError, match=f"{sums[0]}.*{sums[1]}"):
        obtain(local_source(tmp_path / "z.zip", "x"), tmp_path / "cache")
    kept = [path.name for path in (tmp_path / "cache").rglob("*") if path.is_file()]
    assert kept == [".x.lock"]


@pytest.mark.parametrize("name", ["../../escaped", "/etc/escaped"])
def test_names_that_leave_the_archive(tmp_path: Path, name: str) -> None:
    with zipfile.ZipFile(tmp_path / "z.zip", "w") as archive:
        archive.writestr(name, b"inner")
    with pytest.raises(FetchError, match="leaves its archive"):
        obtain(local_source(tmp_path / "z.zip", name), tmp_path / "cache")


def test_links_in_a_tar_are_refused(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("inner")
    with tarfile.open(tmp_path / "t.tar", "w") as archive:
        entry = tarfile.TarInfo("x")
        entry.type, entry.linkname = tarfile.SYMTYPE, str(tmp_path / "secret")
        archive.addfile(entry)
    with pytest.raises(FetchError, match="no plain file"):
        obtain(local_source(tmp_path / "t.tar", "x"), tmp_path / "cache")


def test_no_archive_and_no_member(tmp_path: Path) -> None:
    (tmp_path / "z.zip").write_bytes(b"text")
    with pytest.raises(FetchError, match="no archive"):
        obtain(local_source(tmp_path / "z.zip", "x"), tmp_path / "cache")
    with zipfile.ZipFile(tmp_path / "z.zip", "w") as archive:
        archive.writestr("cells.h5ad", b"")
    with pytest.raises(FetchError, match="did you mean 'cells.h5ad'"):
        obtain(local_source(tmp_path / "z.zip", "cell.h5ad"), tmp_path / "cache")
