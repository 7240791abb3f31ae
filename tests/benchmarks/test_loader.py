"""The benchmark of loaders, on few cells and without peers."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from selfcell.data.cells import StoreCells
from selfcell.data.gather import Reader
from selfcell.data.store import Store
from tests.benchmarks.test_documented import script
from tests.tree import REPO

PEERS = {
    "annbatch", "scvi-tools", "scDataset", "SCDL", "tiledbsoma-ml", "MappedCollection",
    "dense parquet",
}  # fmt: skip
COMMAND = [sys.executable, str(REPO / "benchmarks" / "loader.py")]


@pytest.mark.slow
def test_lines_of_our_own_and_a_message_for_who_is_missing(tmp_path: Path) -> None:
    out = tmp_path / "loader.jsonl"
    options = ["--cells", "6000", "--batch", "512", "--repeats", "1", "--seconds", "0.2"]
    systems = ["--systems", "selfcell", "selfcell blocks", "selfcell packed", "annbatch"]
    done = subprocess.run(
        [*COMMAND, *options, *systems, "--out", str(out)],
        cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "annbatch: skipped, no environment" in done.stderr
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    kinds = [(line["system"], line["out"], line.get("cold")) for line in lines]
    assert kinds == [
        ("selfcell", "prepare", None),
        ("selfcell packed", "prepare", None),
        ("selfcell", "dense", False),
        ("selfcell", "sparse", False),
        ("selfcell blocks", "dense", False),
        ("selfcell blocks", "sparse", False),
        ("selfcell packed", "dense", False),
        ("selfcell packed", "sparse", False),
        ("selfcell blocks", "dense", True),
        ("selfcell blocks", "sparse", True),
        ("selfcell packed", "dense", True),
        ("selfcell packed", "sparse", True),
    ]
    for line in lines[2:]:
        assert line["entropy"] > 0.99 * line["ideal_entropy"]
        assert min(line["cells_per_s"], line["cells_per_cpu_s"], line["peak_mb"]) > 0
    assert lines[2]["bound_cells_per_s"] > 0
    assert [file.name for file in tmp_path.iterdir()] == ["loader.jsonl"]
    shown = subprocess.run(
        [*COMMAND, "--table", str(out)], capture_output=True, text=True, check=True
    )
    assert shown.stdout.count("\n") == 2 + len(lines[2:]) + 1 + 2 + 2
    assert "| selfcell | 512 | dense |" in shown.stdout
    assert "| selfcell | 6,000 | " in shown.stdout


@pytest.mark.slow
def test_packed_cells_are_those_of_the_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(REPO / "benchmarks")
    packed, systems, synthetic = (
        script(name) for name in ("loader_packed", "loader_systems", "synthetic")
    )
    synthetic.write_h5ad(tmp_path / "cells.h5ad", 1100)
    systems.selfcell_prepare(tmp_path / "cells.h5ad", tmp_path)
    packed.prepare(tmp_path / "cells.h5ad", tmp_path)
    store = Store.open(tmp_path / "selfcell")
    number_of = {int(name.removeprefix("cell")): at for at, name in enumerate(store.obs.index)}
    cells = StoreCells.of([(store, np.arange(store.n_cells))])
    for dense in (True, False):
        seen = []
        batches = packed.reader(2)(tmp_path / "cells.h5ad", tmp_path, 512, dense)
        for x_BG, numbers in batches:
            rows = np.array([number_of[number] for number in numbers])
            found = x_BG if dense else x_BG.toarray()
            np.testing.assert_array_equal(found, Reader(cells, 1).dense(rows))
            seen += list(numbers)
        assert len(seen) == len(set(seen)) == 1024  # of 1,100: whole blocks, whole batches


def test_every_peer_has_its_turn_and_an_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(REPO / "benchmarks")
    loader, peers = script("loader"), script("loader_peers")
    assert set(peers.PEERS) == PEERS == {name for name, *_ in loader.RUNS if name in PEERS}
    assert {loader.LIVES_IN.get(name, "peers") for name in PEERS} == set(loader.ENVIRONMENTS)


def test_an_interpreter_that_is_missing_or_does_not_run_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(REPO / "benchmarks")
    loader = script("loader")
    broken = tmp_path / "broken-python"  # as version managers leave one for what is not installed
    broken.write_text("#!/bin/sh\nexit 127\n")
    broken.chmod(0o755)
    wanted = {"one": ("no-such-python", ["x"]), "two": (str(broken), ["y"])}
    monkeypatch.setattr(loader, "ENVIRONMENTS", wanted)
    loader.make_environments(tmp_path / "envs")
    said = capsys.readouterr().err
    assert "one: left out, no no-such-python that runs" in said and "two: left out" in said
    assert not (tmp_path / "envs").exists()
    assert loader.works(sys.executable)
