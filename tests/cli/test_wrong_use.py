"""The command `selfcell` used wrongly: one line that names what was got, needed and the remedy."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from selfcell.cli import common
from selfcell.errors import DataError
from tests.cells import user_cells
from tests.cli.conftest import Done

WRONG = {
    "embd cells.h5ad": "did you mean 'embed'",
    "embed absent.h5ad model --out o.h5ad": "absent.h5ad does not exist",
    "embed cells.h5ad absent --out o.h5ad": "no readable model",
    "embed cells.h5ad model --out o.txt": "a name that ends in .h5ad",
    "embed cells.h5ad model": "--out",
    "embed cells.h5ad model --out ./cells.h5ad": "a file that is read",
    "annotate cells.h5ad model --reference reference.h5ad --out reference.h5ad": "is read",
    "embed empty.h5ad model --out o.h5ad": "has no cells",
    "embed a.store model --out o.h5ad": "selfcell convert a.store --out cells.h5ad",
    "doctor a.store": "is a store of this project",
    "pretrain a.store --out o --layer counts": "layer with the store a.store",
    "pretrain cells.h5ad --out o --method gene_programme": "--gene-sets FILE",
    "plan study.yaml --offline --workers 0": "0 workers; needed: at least 1",
    "plan study.yaml --offline --gpu-rate -5": "-5 cells a second",
    "plan study.yaml --ofline": "unrecognized arguments",
    "plan absent.yaml": "absent.yaml; remedy: correct the path",
    "import-checkpoint absent.ckpt --genes g.txt --out o": "g.txt cannot be read as text",
    "push absent owner/name": "no readable model",
    "push model name": "hf://owner/name",
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
    "pretrain cells.h5ad --out o --threads 0": "--threads 0; needed: at least 1",
    "pretrain cells.h5ad --out o --gene-table study.yaml": "is no gene table",
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
    "compare reference.h5ad --corpus reference.h5ad": "is the file itself",
    "compare reference.h5ad --corpus broken.h5ad": "cannot be read as h5ad",
    "compare reference.h5ad --labels": "expected one argument",
    "compare reference.h5ad --labels=": "no obs column ''",
    "compare reference.h5ad --labels cell": "holds 140 values in 140 cells",
    "compare reference.h5ad --min-test 0": "at least 1",
    "compare reference.h5ad --cores -2": "--cores -2",
    "compare reference.h5ad --model absent": "no readable model",
    "compare foreign.h5ad --model model": "0 of the model's 80 genes",
    "compare foreign.h5ad --model model --min-found 0": "0 of the model's 80 genes",
    "compare reference.h5ad --model model --min-found 30": "min_found 30.0; needed: a share",
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
    foreign = user_cells()
    foreign.var_names = [f"FOO{i}" for i in range(foreign.n_vars)]
    foreign.write_h5ad("foreign.h5ad")
    foreign[:0].copy().write_h5ad("empty.h5ad")
    done = selfcell(*line.split())
    assert done.code == 2
    assert WRONG[line] in done.err and "Traceback" not in done.err
    assert not list(files.glob("o*"))


@pytest.mark.parametrize(
    "line",
    [
        "doctor linked.h5ad",
        "embed linked.h5ad model --out o.h5ad",
        "annotate linked.h5ad model --reference reference.h5ad --out o.h5ad",
        "annotate cells.h5ad model --reference linked.h5ad --out o.h5ad",
        "pretrain linked.h5ad --out o",
        "convert linked.h5ad --out o",
        "compare linked.h5ad --dry-run",
        "compare reference.h5ad --corpus linked.h5ad --dry-run",
    ],
)
def test_a_file_that_links_to_another_is_refused(
    line: str, selfcell: Callable[..., Done], files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(files)
    user_cells().write_h5ad("victim.h5ad")
    before = Path("victim.h5ad").read_bytes()
    user_cells().write_h5ad("linked.h5ad")
    with h5py.File("linked.h5ad", "r+") as file:
        del file["obs"]
        file["obs"] = h5py.ExternalLink("victim.h5ad", "/obs")
    done = selfcell(*line.split())
    assert done.code == 2 and "does not hold 'obs' itself" in done.err
    assert Path("victim.h5ad").read_bytes() == before and not list(files.glob("o*"))


def test_nothing_is_added_through_a_link(tmp_path: Path) -> None:
    cells = user_cells(12)
    cells.obsm["z"] = np.ones((12, 2), np.float32)
    user_cells(12).write_h5ad(tmp_path / "victim.h5ad")
    user_cells(12).write_h5ad(tmp_path / "linked.h5ad")
    with h5py.File(tmp_path / "linked.h5ad", "r+") as file:
        del file["obsm"]
        file["obsm"] = h5py.ExternalLink(str(tmp_path / "victim.h5ad"), "/obsm")
    with pytest.raises(DataError, match="does not hold 'obsm' itself"):
        common.write(tmp_path / "linked.h5ad", cells, ["z"], [], tmp_path / "o.h5ad")
    with h5py.File(tmp_path / "victim.h5ad") as file:
        assert list(file["obsm"]) == []
    assert not (tmp_path / "o.h5ad").exists()
