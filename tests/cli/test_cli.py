"""The command `selfcell`, used well and wrongly; and the page about it."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import pytest

from selfcell import cli
from tests.cells import small_model, user_cells
from tests.tree import REPO

ELSEWHERE = {"example", "import-checkpoint", "plan", "push"}  # of other pages and tests
PAGE = (REPO / "docs/your-cells.md").read_text(encoding="utf-8")
QUICK = "--min-genes 1 --genes 80 --hidden 16 8 --batch 32 --gene-ids ensembl --lr 0.003".split()


@dataclass(frozen=True)
class Done:
    """What a command left: exit code and what it printed."""

    code: int
    out: str
    err: str


@pytest.fixture
def selfcell(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> Callable[..., Done]:
    """The command, run in this process with its hooks taken back afterwards."""
    for hook in ("excepthook", "unraisablehook"):
        monkeypatch.setattr(sys, hook, getattr(sys, hook))

    def run(*words: object) -> Done:
        code = 0
        try:
            cli.main([str(word) for word in words])
        except SystemExit as end:
            code = int(end.code or 0)
        return Done(code, *capsys.readouterr())

    return run


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """cells.h5ad, reference.h5ad (labelled), normalised.h5ad (counts in a layer), model."""
    root = tmp_path_factory.mktemp("files")
    made = user_cells()
    made[:140].copy().write_h5ad(root / "reference.h5ad")
    cells = made[140:].copy()
    del cells.obs["cell_type"]
    cells.obs["when"] = pd.Categorical(["now", "then"] * 50)
    cells.uns["note"] = "kept"
    cells.write_h5ad(root / "cells.h5ad")
    cells.layers["counts"] = cells.X.copy()
    cells.X = np.log1p(cells.X.toarray())
    cells.write_h5ad(root / "normalised.h5ad")
    small_model(made).save(root / "model")
    return root


def test_help_lists_the_commands(selfcell: Callable[..., Done]) -> None:
    done = selfcell("--help")
    assert done.code == 0 and all(f"  {name}" in done.out for name in cli.COMMANDS)
    assert selfcell().code == 2
    assert selfcell("--version").out.startswith("selfcell ")


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_help_gives_each_option_its_default_and_an_example(name: str) -> None:
    parser = cli.module(name).parser()
    assert f"example: selfcell {name} " in parser.format_help()
    for action in parser._actions:
        said = action.help or ""
        if action.option_strings and action.option_strings[-1] not in ("--help", "--json"):
            assert "default" in said and f"e.g. {action.option_strings[-1]} " in said, said
        assert said


def test_embed_adds_to_a_copy(selfcell: Callable[..., Done], files: Path, tmp_path: Path) -> None:
    source, out = files / "cells.h5ad", tmp_path / "out.h5ad"
    before = source.read_bytes()
    done = selfcell("embed", source, files / "model", "--out", out, "--json")
    assert done.code == 0, done.err
    report = json.loads(done.out)
    assert (report["cells"], report["dimensions"], report["share"]) == (100, 8, 1.0)
    cells = anndata.read_h5ad(out)
    assert cells.obsm["X_selfcell"].shape == (100, 8)
    assert list(cells.obs) == ["donor", "when"] and cells.uns["note"] == "kept"
    assert source.read_bytes() == before
    done = selfcell("embed", source, files / "model", "--out", tmp_path / "z.csv", "--batch", 9)
    table = pd.read_csv(tmp_path / "z.csv", index_col="cell")
    np.testing.assert_allclose(table.to_numpy(), cells.obsm["X_selfcell"], atol=1e-5)


def test_annotate_writes_labels(selfcell: Callable[..., Done], files: Path, tmp_path: Path) -> None:
    words = ["annotate", files / "normalised.h5ad", files / "model", "--layer", "counts"]
    words += ["--reference", files / "reference.h5ad"]
    done = selfcell(*words, "--out", tmp_path / "out.h5ad")
    assert done.code == 0, done.err
    assert re.search(r"^median confidence: [01]\.", done.out, re.M)
    cells = anndata.read_h5ad(tmp_path / "out.h5ad")
    truth = user_cells().obs["cell_type"][140:]
    assert (cells.obs["selfcell_label"].astype(str) == truth).mean() > 0.6
    assert list(cells.obs) == ["donor", "when", "selfcell_label", "selfcell_confidence"]
    assert selfcell(*words, "--out", tmp_path / "out.parquet", "--readout", "knn5").code == 0
    assert list(pd.read_parquet(tmp_path / "out.parquet")) == ["selfcell_label"]


def test_pretrain_writes_a_model_and_card_describes_it(
    selfcell: Callable[..., Done], files: Path, tmp_path: Path
) -> None:
    words = ["pretrain", files / "cells.h5ad", "--out", tmp_path / "m", "--steps", 4, *QUICK]
    done = selfcell(*words, "--params", '{"rate": 0.3}', "--licence", "CC0-1.0", "--json")
    assert done.code == 0, done.err
    assert json.loads(done.out)["genes"] == 80
    card = selfcell("card", tmp_path / "m").out
    for said in ("100 cells", "80 genes, 16-8", "rate 0.3", "CC0-1.0", "Status `", "selfcell.load"):
        assert said in card
    about = json.loads(selfcell("card", tmp_path / "m", "--json").out)
    assert about["inputs"]["cells"] in card


def test_doctor_finds_nothing_to_mend(selfcell: Callable[..., Done], files: Path) -> None:
    done = selfcell("doctor", files / "reference.h5ad", "--model", files / "model", "--json")
    report = json.loads(done.out)
    assert done.code == 0
    assert (report["cells"], report["counts_in"], report["empty_cells"]) == (140, "X", 0)
    assert (report["label_columns"], report["batch_columns"]) == (["cell_type"], ["donor"])
    assert report["species"] == "human" and report["genes_of_the_model"]["share"] == 1.0
    assert report["findings"] == []


@pytest.mark.filterwarnings("ignore:Observation names are not unique")
def test_doctor_says_how_to_mend(
    selfcell: Callable[..., Done], files: Path, tmp_path: Path
) -> None:
    done = selfcell("doctor", files / "normalised.h5ad")
    assert done.code == 1
    assert re.search(r"^MEND: X holds no counts but non-integers.*--layer counts", done.out, re.M)
    assert selfcell("doctor", files / "normalised.h5ad", "--layer", "counts").code == 0
    cells = user_cells(60)
    cells.X = cells.X.multiply(np.arange(60)[:, None] != 5).tocsr()
    cells.var_names = [f"ENSMUSG{i:011d}" for i in range(cells.n_vars)]
    cells.obs_names = ["same"] * 60
    cells.obs["cell_type"] = ["nan"] * 20 + ["a", "b"] * 20
    cells.write_h5ad(tmp_path / "bad.h5ad")
    done = selfcell("doctor", tmp_path / "bad.h5ad", "--model", files / "model")
    assert done.code == 1
    for said in (
        "MEND: 1 cells hold no counts", "look like mouse", "MEND: names of cells stand twice",
        "MEND: 0% of the model's 80 genes", "20 cells have no label in 'cell_type'",
    ):  # fmt: skip
        assert said in done.out


WRONG = {
    "embd cells.h5ad": "did you mean 'embed'",
    "embed absent.h5ad model --out o.h5ad": "absent.h5ad does not exist",
    "embed cells.h5ad absent --out o.h5ad": "no readable model",
    "embed cells.h5ad model --out o.txt": "a name that ends in .h5ad",
    "embed cells.h5ad model": "--out",
    "embed broken.h5ad model --out o.h5ad": "cannot be read as h5ad",
    "embed normalised.h5ad model --out o.h5ad": "set `layer: counts`",
    "embed normalised.h5ad model --out o.h5ad --layer count": "did you mean 'counts'",
    "embed foreign.h5ad model --out o.h5ad": "0 of the model's 80 genes (0%)",
    "embed cells.h5ad model --out o.h5ad --batch 0": "at least 1",
    "doctor cells.h5ad --layer counts": "no layer 'counts'",
    "annotate cells.h5ad model --reference cells.h5ad --out o.h5ad": "no obs column 'cell_type'",
    "pretrain cells.h5ad --out o --method radom_mask": "did you mean 'random_mask'",
    "pretrain cells.h5ad --out o --params [": "--params is not JSON",
    "pretrain cells.h5ad --out o --min-genes 500": "no cell of data set 'cells' passes",
    "pretrain cells.h5ad --out model": "is there already",
    "card .": "no readable model",
    "example --out o.h5ad --dataset baro": "did you mean 'baron'",
    "example --out o.txt": "ends in .h5ad",
    "convert cells.h5ad --out o.h5ad": "the name of a folder",
    "convert cells.h5ad --out model": "is there already",
    "convert cells.h5ad --out o --label celltype": "no obs column 'celltype'",
    "convert normalised.h5ad --out o": "set `layer: counts`",
    "compare cells.h5ad": "no obs column 'cell_type'",
    "compare reference.h5ad --batch doner": "did you mean 'donor'",
    "compare reference.h5ad --effort ful": "did you mean 'full'",
    "compare reference.h5ad --corpus absent.h5ad": "there is no such file",
    "compare reference.h5ad --name ../x": "--name ../x; needed: letters",
    "compare reference.h5ad --name own": "none of released",
    "compare normalised.h5ad --labels donor": "set `layer: counts`",
}


@pytest.mark.parametrize("line", WRONG)
def test_wrong_use_is_refused_in_words(
    line: str, selfcell: Callable[..., Done], files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(files)
    (files / "broken.h5ad").write_bytes(b"no HDF5")
    foreign = user_cells(20)
    foreign.var_names = [f"Foo{i}" for i in range(foreign.n_vars)]
    foreign.write_h5ad("foreign.h5ad")
    done = selfcell(*line.split())
    assert done.code == 2
    assert WRONG[line] in done.err and "Traceback" not in done.err
    assert not list(files.glob("o*"))


def test_debug_shows_the_traceback(selfcell: Callable[..., Done], files: Path) -> None:
    from selfcell.errors import DataError

    with pytest.raises(DataError, match="does not exist"):
        selfcell("doctor", files / "absent.h5ad", "--debug")


def test_the_module_is_the_command() -> None:
    words = [sys.executable, "-m", "selfcell", "nonsense"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr[:6]) == (2, "error:")


def blocks(kind: str) -> list[str]:
    """Code blocks of the page."""
    return re.findall(rf"^```{kind}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


@pytest.mark.slow
def test_every_command_of_the_page_works(
    selfcell: Callable[..., Done], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = user_cells(160)
    made.X = made.X * 3
    made = anndata.concat(
        [made, *(renamed(made, i) for i in range(3))], axis=1, merge="first"
    )  # over 200 genes a cell
    made[:80].copy().write_h5ad(tmp_path / "reference.h5ad")
    made[80:].copy().write_h5ad(tmp_path / "cells.h5ad")
    monkeypatch.chdir(tmp_path)
    lines = [line for block in blocks("bash") for line in block.splitlines()]
    commands = [shlex.split(line) for line in lines if line.startswith("selfcell ")]
    assert {words[1] for words in commands} == set(cli.COMMANDS) - ELSEWHERE
    for words in commands:
        if words[1] == "compare":  # tests/e2e/test_compare.py runs it on genes that exist
            words.append("--dry-run")
        done = selfcell(*words[1:])
        assert done.code == 0, done.err
    assert "X_selfcell" in anndata.read_h5ad("cells.selfcell.h5ad").obsm
    assert "selfcell_label" in anndata.read_h5ad("named.h5ad").obs
    (code,) = blocks("python")
    scope: dict[str, object] = {}
    exec(code, scope)
    assert "selfcell_confidence" in scope["cells"].obs


def renamed(cells: anndata.AnnData, number: int) -> anndata.AnnData:
    """The same genes under other names."""
    other = cells.copy()
    other.var_names = [f"{name}X{number}" for name in cells.var_names]
    return other
