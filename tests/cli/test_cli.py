"""The command `selfcell`, used well and wrongly; and the page about it."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import pytest

from selfcell import cli, job
from tests.cells import user_cells
from tests.cli.conftest import Done
from tests.tree import REPO

ELSEWHERE = {"example", "import-checkpoint", "plan", "push"}  # of other pages and tests
PAGE = (REPO / "docs/your-cells.md").read_text(encoding="utf-8")
QUICK = "--min-genes 1 --genes 80 --hidden 16 8 --batch 32 --gene-ids ensembl --lr 0.003".split()


def test_help_lists_the_commands(selfcell: Callable[..., Done]) -> None:
    done = selfcell("--help")
    assert done.code == 0 and all(f"  {name}" in done.out for name in cli.COMMANDS)
    assert selfcell().code == 2
    assert selfcell("--version").out.startswith("selfcell ")


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_help_gives_each_option_its_default_and_an_example(name: str) -> None:
    parser = cli.module(name).parser()
    job.add_common(parser)
    assert f"example: selfcell {name} " in parser.format_help()
    for action in parser._actions:
        said = action.help or ""
        if action.option_strings and action.option_strings[-1] != "--help":
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
    assert re.search(r"^labelled: type_1 \d+; type_", done.out, re.M)
    cells = anndata.read_h5ad(tmp_path / "out.h5ad")
    truth = user_cells().obs["cell_type"][140:].str.replace("type", "type_")
    assert (cells.obs["selfcell_label"].astype(str) == truth).mean() > 0.6
    assert list(cells.obs) == ["donor", "when", "selfcell_label", "selfcell_confidence"]
    assert selfcell(*words, "--out", tmp_path / "out.parquet", "--readout", "knn5").code == 0
    assert list(pd.read_parquet(tmp_path / "out.parquet")) == ["selfcell_label"]


def test_labels_of_another_readout_come_without_the_earlier_confidence(
    selfcell: Callable[..., Done], files: Path, tmp_path: Path
) -> None:
    words = [files / "model", "--reference", files / "reference.h5ad"]
    again = ["annotate", tmp_path / "a.h5ad", *words, "--out", tmp_path / "b.h5ad"]
    first = ["annotate", files / "cells.h5ad", *words, "--out", tmp_path / "a.h5ad"]
    assert selfcell(*first).code == 0 and selfcell(*again, "--readout", "knn5").code == 0
    assert list(anndata.read_h5ad(tmp_path / "b.h5ad").obs) == ["donor", "when", "selfcell_label"]
    assert "selfcell_confidence" in anndata.read_h5ad(tmp_path / "a.h5ad").obs


def test_an_empty_label_is_refused(
    selfcell: Callable[..., Done], files: Path, tmp_path: Path
) -> None:
    words = ["annotate", files / "cells.h5ad", files / "model", "--label", ""]
    words += ["--reference", files / "reference.h5ad", "--out", tmp_path / "out.csv"]
    done = selfcell(*words)
    assert done.code == 2 and done.err.startswith("error: no label column; needed: ")


@pytest.mark.parametrize("name", ["cells.h5ad", "cells.H5AD"])
def test_cells_without_columns_keep_what_else_they_have(
    name: str, selfcell: Callable[..., Done], files: Path, tmp_path: Path
) -> None:
    cells = anndata.read_h5ad(files / "cells.h5ad")
    cells.obs = cells.obs[[]]
    cells.obsm["X_pca"] = np.ones((100, 2))
    cells.write_h5ad(tmp_path / "bare.h5ad")
    (tmp_path / "bare.h5ad").rename(tmp_path / name)
    done = selfcell("embed", tmp_path / name, files / "model", "--out", tmp_path / "out.h5ad")
    assert done.code == 0, done.err
    out = anndata.read_h5ad(tmp_path / "out.h5ad")
    assert set(out.obsm) == {"X_pca", "X_selfcell"} and out.uns["note"] == "kept"


@pytest.mark.filterwarnings("ignore:Observation names are not unique")
def test_cells_of_one_name_have_a_row_each(
    selfcell: Callable[..., Done], files: Path, tmp_path: Path
) -> None:
    cells = anndata.read_h5ad(files / "cells.h5ad")
    cells.obs_names = ["twin"] * 4 + list(cells.obs_names[4:])
    cells.write_h5ad(tmp_path / "twins.h5ad")
    words = ["embed", tmp_path / "twins.h5ad", files / "model", "--out"]
    assert selfcell(*words, tmp_path / "z.csv").code == 0
    assert selfcell(*words, tmp_path / "z.h5ad").code == 0
    table = pd.read_csv(tmp_path / "z.csv", index_col="cell")
    assert list(table.index) == list(cells.obs_names)
    whole = anndata.read_h5ad(tmp_path / "z.h5ad").obsm["X_selfcell"]
    np.testing.assert_allclose(table.to_numpy(), whole, atol=1e-5)


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
    assert (tmp_path / "m/CARD.md").read_text() == card


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


@pytest.mark.filterwarnings("ignore:(Observation|Variable) names are not unique")
def test_doctor_goes_on_after_genes_that_stand_twice(
    selfcell: Callable[..., Done], files: Path, tmp_path: Path
) -> None:
    cells = user_cells(60)
    cells.var_names = ["Actb", "Actb", *(f"Gene{i}" for i in range(cells.n_vars - 2))]
    cells.obs_names = ["same"] * 60
    cells.write_h5ad(tmp_path / "bad.h5ad")
    done = selfcell("doctor", tmp_path / "bad.h5ad", "--model", files / "model")
    assert done.code == 1
    for said in (
        "MEND: data set 'cells' has 1 duplicated gene names (Actb)", "look like mouse",
        "NOTE: the genes were not held to the model", "MEND: names of cells stand twice",
    ):  # fmt: skip
        assert said in done.out
    absent = selfcell("doctor", tmp_path / "bad.h5ad", "--gene-ids", "ids")
    assert "has no var column 'ids'" in absent.out and "stand twice" in absent.out


def test_doctor_says_that_a_file_is_empty(selfcell: Callable[..., Done], tmp_path: Path) -> None:
    for name, cells in (("cells", user_cells(9)[:0]), ("genes", user_cells(9)[:, :0])):
        cells.copy().write_h5ad(tmp_path / "empty.h5ad")
        done = selfcell("doctor", tmp_path / "empty.h5ad")
        assert done.code == 1 and f"MEND: the file holds no {name}; remedy: check" in done.out


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
