"""Every method pre-trained on a small corpus, by as many processes as asked for.

`python -m tests.train.trainee` is not how it runs: it is a script, as the workflow's is, that
`train.launch` starts: `python tests/train/trainee.py PROCESSES OUT`. The first process writes the
loss curve of each method, and its code of 64 cells.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # for `tests`

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor

from selfcell.data.cells import MemoryCells, cell_keys
from selfcell.data.corpus import Corpus
from selfcell.data.specs import CorpusSource, CorpusSpec
from selfcell.methods import METHODS
from selfcell.specs import Network, PretrainSpec, Training
from selfcell.tasks.pretrain import pretrain
from selfcell.train import distributed
from tests.methods.factory import CELLS, SMALL, batch, context, with_factors

STEPS = 8


def corpus() -> Corpus:
    """The synthetic cells, an eighth of them held back."""
    known = with_factors(context(unmeasured=()))
    n = CELLS.count_NG.shape[0]
    cells = MemoryCells(
        CELLS.count_NG,
        np.asarray(CELLS.count_NG.sum(1)).ravel(),
        cell_keys(f"c{i}" for i in range(n)),
    )
    held = np.arange(n) % 8 == 0
    return Corpus(
        name="synthetic",
        cells=cells,
        gene_ids=known.gene_ids,
        symbols=known.symbols,
        measured_G=known.measured_G,
        train_N=np.flatnonzero(~held),
        validation_N=np.flatnonzero(held),
        report={},
    )


def spec(method: str, processes: int = 1) -> PretrainSpec:
    """A few steps of a method."""
    return PretrainSpec(
        study="t",
        protocol="intended",
        corpus=CorpusSpec(name="synthetic", sources=(CorpusSource(dataset="synthetic"),)),
        method=method,
        task=method,
        params=SMALL.get(method, {}),
        network=Network(hidden=[32, 16]),
        training=Training(steps=STEPS, batch=64, precision="float32"),
        seed=0,
        processes=processes,
    )


def trained(processes: int = 1) -> dict[str, Tensor]:
    """By method: its loss curve, and its code of 64 cells."""
    cells, out = corpus(), {}
    known = with_factors(context(unmeasured=()))
    x_BG = batch(known).x_BG
    for method in METHODS:
        sets = known.programmes if method == "gp_to_tf" else CELLS.programmes
        run = pretrain(spec(method, processes), cells, sets)
        losses = [row["loss"] for row in run.history]
        out[f"{method}/losses"] = torch.tensor(losses, dtype=torch.float64)
        out[f"{method}/code"] = run.method.embed(x_BG)
    return out


def main(processes: int, out: str) -> None:
    """Train, and let the first process write."""
    distributed.enter(sys.argv, processes)
    results = trained(processes)
    cost = distributed.leave_but_first({"wall_s": 1.0, "cpu_s": 2.0, "gpu_s": 1.0, "peak_mb": 3.0})
    save_file(results, out, {name: str(value) for name, value in cost.items()})


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
