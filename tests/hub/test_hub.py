"""Models on a hub: pinned, cached, checked; and what a hub must not make of a reader's disk."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import yaml

import selfcell
from selfcell import cli, hub
from selfcell.api import EMBEDDING
from selfcell.errors import ConfigError, FetchError, StoreError
from selfcell.modelcard import front_matter
from selfcell.tasks.model import FORMAT
from tests.cells import user_cells
from tests.hub.server import Hub, served
from tests.tree import REPO

GOLDEN = REPO / f"tests/golden/model-{FORMAT}"
MODEL = {name: (GOLDEN / name).read_bytes() for name in hub.FILES}


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A hub, the cache in `tmp_path/cache`, the client's own state elsewhere."""
    state = Hub()
    monkeypatch.setenv("SELFCELL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_TOKEN", "hf_good")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.chdir(tmp_path)
    for hook in ("excepthook", "unraisablehook"):
        monkeypatch.setattr(sys, hook, getattr(sys, hook))
    with served(state) as address:
        monkeypatch.setenv("HF_ENDPOINT", address)
        yield state


def outside(tmp_path: Path) -> list[str]:
    """Files below the test's folder that are not in the cache."""
    files = (path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file())
    return sorted(str(path) for path in files if path.parts[0] != "cache")


@pytest.mark.parametrize("text", ["owner/name", "hf://owner/name", "owner/name@main"])
def test_a_model_is_loaded_by_its_name(text: str, fake: Hub, tmp_path: Path) -> None:
    commit = fake.put("owner/name", {**MODEL, "README.md": b"a card", "extra/notes.txt": b"n"})
    cells, same = user_cells(20), user_cells(20)
    selfcell.load(text).embed(cells)
    selfcell.load(GOLDEN).embed(same)
    np.testing.assert_array_equal(cells.obsm[EMBEDDING], same.obsm[EMBEDDING])
    folder = tmp_path / "cache/hub/owner--name" / commit
    assert {path.name for path in folder.iterdir()} == set(MODEL)
    assert outside(tmp_path) == []


def test_large_files_are_followed_and_compared(fake: Hub) -> None:
    fake.lfs = {"weights.safetensors"}
    fake.put("owner/name", MODEL)
    assert selfcell.load("owner/name").trained.about["format"] == FORMAT
    assert any(path.startswith("/large/") for path in fake.asked)


def test_a_commit_is_pinned_and_needs_no_network_again(fake: Hub) -> None:
    first = fake.put("owner/name", {**MODEL, "README.md": b"1"})
    about = {**json.loads(MODEL["model.json"]), "licence": "CC0-1.0"}
    second = fake.put("owner/name", {**MODEL, "model.json": json.dumps(about).encode()})
    assert selfcell.load("owner/name").trained.about["licence"] == "CC0-1.0"
    pinned = selfcell.load("owner/name", revision=first)
    assert pinned.trained.about["licence"] != "CC0-1.0"
    fake.asked.clear()
    for commit in (first, second):
        selfcell.load(f"owner/name@{commit}")
    assert fake.asked == []


def test_branches_and_tags(fake: Hub) -> None:
    fake.put("owner/name", MODEL, "feature/x")
    assert selfcell.load("owner/name@feature/x").trained.about["format"] == FORMAT
    with pytest.raises(FetchError, match="refused owner/name at v9"):
        selfcell.load("owner/name", revision="v9")


def test_without_the_hub_the_cache_serves(
    fake: Hub, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    commit = fake.put("owner/name", MODEL)
    selfcell.load("owner/name")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    fake.asked.clear()
    with caplog.at_level(logging.WARNING, "selfcell"):
        selfcell.load("owner/name")
    assert fake.asked == [] and commit in caplog.text and "HF_HUB_OFFLINE" in caplog.text
    for absent in ("owner/other", "owner/name@other"):
        with pytest.raises(FetchError, match="not in the cache"):
            selfcell.load(absent)
    monkeypatch.delenv("HF_HUB_OFFLINE")
    fake.down = True
    caplog.clear()
    with caplog.at_level(logging.WARNING, "selfcell"):
        selfcell.load("owner/name")
    assert "HTTP 503" in caplog.text
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    selfcell.load("owner/name")
    with pytest.raises(FetchError, match="cannot be reached"):
        selfcell.load("owner/other")


def test_a_pickle_is_refused(fake: Hub, tmp_path: Path) -> None:
    fake.put("owner/name", {"pytorch_model.bin": b"\x80", "config.json": b"{}"})
    with pytest.raises(FetchError, match=r"pytorch_model\.bin.*import-checkpoint"):
        selfcell.load("owner/name")
    fake.put("owner/none", {"README.md": b""})
    with pytest.raises(FetchError, match="selfcell push"):
        selfcell.load("owner/none")
    assert not any("resolve" in path for path in fake.asked)
    assert outside(tmp_path) == [] and not (tmp_path / "cache/hub").exists()


def test_names_that_a_hub_says_are_not_used_as_paths(fake: Hub, tmp_path: Path) -> None:
    away = {"../../../evil": b"x", "/etc/evil": b"x", "..\\evil": b"x"}
    fake.put("owner/name", {**MODEL, **away})
    assert selfcell.load("owner/name").trained.about["format"] == FORMAT
    assert outside(tmp_path) == []
    names = {path.name for path in (tmp_path / "cache").rglob("*") if path.is_file()}
    assert names == {*MODEL, "revisions.json"}


@pytest.mark.parametrize("commit", ["../../../evil", "", "a" * 41, "main", None])
def test_a_commit_that_is_none_is_refused(commit: str | None, fake: Hub, tmp_path: Path) -> None:
    fake.put("owner/name", MODEL)
    fake.listed = {"sha": commit}
    with pytest.raises(FetchError, match="names the commit"):
        selfcell.load("owner/name")
    assert outside(tmp_path) == [] and not (tmp_path / "cache").exists()


@pytest.mark.parametrize("large", [True, False])
@pytest.mark.parametrize("name", MODEL)
def test_an_altered_file_is_refused_and_not_kept(
    name: str, large: bool, fake: Hub, tmp_path: Path
) -> None:
    commit = fake.put("owner/name", MODEL)
    fake.lfs = set(MODEL) if large else set()
    fake.altered = {name: MODEL[name][:-1] + b"?"}
    with pytest.raises(FetchError, match=f"{name} of owner/name has sum"):
        selfcell.load("owner/name")
    assert not (tmp_path / "cache/hub/owner--name" / commit).exists()
    fake.altered = {}
    assert selfcell.load("owner/name").trained.about["format"] == FORMAT


@pytest.mark.parametrize("length", [100, 100_000])
def test_a_file_of_another_length_is_refused(length: int, fake: Hub) -> None:
    fake.put("owner/name", MODEL)
    fake.altered = {"weights.safetensors": MODEL["weights.safetensors"][:100] + bytes(length - 100)}
    with pytest.raises(FetchError, match=f"weights.safetensors of owner/name .*{length}"):
        selfcell.load("owner/name")


def test_a_model_is_pushed_with_its_card_and_read_back(fake: Hub) -> None:
    commit = hub.push(GOLDEN, "owner/name", private=True)
    _, files = fake.find("owner/name", "main")
    assert set(files) == {*MODEL, "README.md"}
    assert {name: files[name] for name in MODEL} == MODEL
    card = files["README.md"].decode()
    _, head, text = card.split("---\n", 2)
    assert yaml.safe_load(head)["library_name"] == "selfcell"
    assert 'selfcell.load("owner/name")' in text and "## Trained on" in text
    assert selfcell.load(f"owner/name@{commit}").trained.about["format"] == FORMAT


def test_pushing_is_refused_in_words(
    fake: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(StoreError, match="no readable model"):
        hub.push(tmp_path, "owner/name")
    with pytest.raises(ConfigError, match="hf://owner/name"):
        hub.push(GOLDEN, "name")
    monkeypatch.setenv("HF_TOKEN", "hf_bad")
    with pytest.raises(FetchError, match="hf auth login"):
        hub.push(GOLDEN, "owner/name")
    fake.down = True
    with pytest.raises(FetchError, match="cannot be reached"):
        hub.push(GOLDEN, "owner/name")
    assert fake.commits == {}


def test_licences_in_the_card() -> None:
    about = json.loads(MODEL["model.json"])
    plain = yaml.safe_load(front_matter({**about, "licence": "CC-BY-4.0"}).strip("-\n"))
    assert plain["license"] == "cc-by-4.0"
    odd = yaml.safe_load(front_matter({**about, "licence": "mine: all\n---\nx"}).strip("-\n"))
    assert (odd["license"], odd["license_name"]) == ("other", "mine: all\n---\nx")


@pytest.mark.parametrize(
    "text",
    ["hf://", "hf://name", "hf://../x", "hf://a/../b", "hf://a/b/c", "hf://a/b@", "hf:///a/b"],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="hf://owner/name"):
        hub.address_of(text)


def test_paths_are_not_addresses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert hub.address_of("runs/model") == hub.Address("runs/model")
    Path("runs/model").mkdir(parents=True)
    for text in ("runs/model", "./runs/model", "/runs/model", "model", "a/b/c", "../a", "a/.."):
        assert hub.address_of(text) is None
    assert hub.address_of("hf://runs/model@v1") == hub.Address("runs/model", "v1")
    with pytest.raises(ConfigError, match="a model on the Hub"):
        hub.address_of("./runs/model", "v1")
    with pytest.raises(ConfigError, match="a revision once"):
        hub.address_of("owner/name@v1", "v2")


def test_the_commands_take_names_of_models(
    fake: Hub, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    def run(*words: object) -> str:
        with suppress(SystemExit):  # of doctor, whose findings are not asked about
            cli.main([str(word) for word in words])
        return capsys.readouterr().out

    pushed = json.loads(run("push", GOLDEN, "owner/name", "--json"))["model"]
    user_cells(30).write_h5ad(tmp_path / "cells.h5ad")
    report = json.loads(
        run("embed", tmp_path / "cells.h5ad", pushed, "--out", tmp_path / "z.csv", "--json")
    )
    assert (report["cells"], report["dimensions"]) == (30, 8)
    assert run("card", pushed).startswith("# name@")
    assert run("doctor", tmp_path / "cells.h5ad", "--model", "owner/name").startswith("cells: 30")


def refuse(name: str) -> Callable[..., object]:
    """An import that fails for one package."""
    original = __import__

    def imported(wanted: str, *rest: object) -> object:
        if wanted.split(".")[0] == name:
            raise ImportError(name)
        return original(wanted, *rest)

    return imported


def test_without_the_extra_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SELFCELL_CACHE", str(tmp_path))
    monkeypatch.setattr("builtins.__import__", refuse("huggingface_hub"))
    with pytest.raises(ConfigError, match=r"no folder here.*pip install 'selfcell\[hub\]'"):
        selfcell.load("my/model")
