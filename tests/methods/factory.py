"""A small corpus with known programmes, and batches of it, for the tests of methods."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import torch

from selfcell.data.synth import Synthetic, synthesise
from selfcell.methods import METHODS
from selfcell.methods.base import Batch, Context, Method
from selfcell.methods.masked import Masked
from selfcell.rng import Noise
from selfcell.train.optim import optimiser

CELLS = synthesise(512, identity=15, nuisance=5, genes_each=10, types=5, signal=1.5, own=0.5)
FACTORS = ("STAT1", "IRF1", "MYC", "SPI1", "GATA3", "RELA", "JUN", "FOS", "YY1", "SP1")
SMALL = {
    "gp_to_tf": {"factors": 8},
    "byol": {"hidden": 64, "size": 32},
    "simsiam": {"hidden": 64, "size": 32},
    "barlow_twins": {"hidden": 32, "size": 32},
    "simclr": {"hidden": 32, "size": 16},
    "vicreg": {"hidden": 32, "size": 32},
}
HIDING = ("random_mask", "gene_programme", "gene_programme_permuted", "random_mask_matched")
MASKED = (*HIDING, "gp_to_gp", "gp_to_tf")


@lru_cache(maxsize=8)
def log_expression(cells: Synthetic) -> np.ndarray:
    """Of a corpus, computed once; not to be written to."""
    return cells.log_expression()


def context(
    cells: Synthetic = CELLS,
    hidden: Sequence[int] = (32, 16),
    unmeasured: Sequence[int] = (3, 17),
    dropout: float = 0.0,
    seed: int = 0,
    programmes: Mapping[str, Sequence[str]] | None = None,
) -> Context:
    """What a method may know of the synthetic corpus; `unmeasured` are columns."""
    x_NG = log_expression(cells).copy()
    measured_G = np.ones(x_NG.shape[1], dtype=bool)
    measured_G[list(unmeasured)] = False
    x_NG[:, ~measured_G] = 0.0
    return Context(
        gene_ids=[f"ENSG{i:05d}" for i in range(x_NG.shape[1])],
        symbols=cells.symbols,
        measured_G=measured_G,
        mean_G=x_NG.mean(0),
        detection_G=(x_NG > 0).mean(0).astype(np.float32),
        programmes=cells.programmes if programmes is None else programmes,
        hidden=hidden,
        activation="selu",
        dropout=dropout,
        seed=seed,
    )


def with_factors(known: Context) -> Context:
    """The same corpus with ten genes renamed to transcription factors, one per programme, each
    the factor of the next programme's genes."""
    symbols = list(known.symbols)
    names = list(known.programmes)[: len(FACTORS)]
    for name, factor in zip(names, FACTORS, strict=True):
        symbols[known.symbols.index(known.programmes[name][0])] = factor
    targets = [known.programmes[name][1:] for name in names]
    sets = {
        f"{factor}_TARGET_GENES": [*targets[i - 1], FACTORS[i - 2]]
        for i, factor in enumerate(FACTORS)
    }
    return Context(**{**vars(known), "symbols": symbols, "programmes": sets})


def batch(
    known: Context,
    rows: Sequence[int] | range = range(64),
    step: int = 0,
    cells: Synthetic = CELLS,
) -> Batch:
    """Cells of the corpus; unmeasured genes are 0 in it."""
    index = np.asarray(rows)
    measured_G = torch.as_tensor(known.measured_G)
    x_BG = torch.from_numpy(log_expression(cells)[index]) * measured_G
    count_BG = torch.from_numpy(cells.count_NG[index].toarray()) * measured_G
    total_B = torch.from_numpy(np.asarray(cells.count_NG[index].sum(1)).ravel())
    return Batch(x_BG, count_BG, total_B, Noise(7, step, torch.as_tensor(index, dtype=torch.int64)))


def make(name: str, known: Context | None = None, **values: Any) -> Method:
    """A method on the synthetic corpus, its heads small."""
    known = known or context()
    if name == "gp_to_tf" and "STAT1" not in known.symbols:
        known = with_factors(known)
    module = importlib.import_module(METHODS[name])
    method: Method = module.build(module.Params(**{**SMALL.get(name, {}), **values}), known)
    return method


def masked(name: str, known: Context | None = None, **values: Any) -> Masked:
    """A masked method on the synthetic corpus."""
    method = make(name, known, **values)
    assert isinstance(method, Masked)
    return method


def train(
    method: Method,
    known: Context,
    steps: int,
    size: int = 128,
    lr: float = 3e-3,
    cells: Synthetic = CELLS,
) -> Method:
    """Train on the synthetic corpus, cells in order."""
    descent = optimiser(method, lr, 0.01)
    for step in range(steps):
        start = step * size % (512 - size + 1)
        loss, _ = method.loss(batch(known, range(start, start + size), step, cells))
        descent.zero_grad()
        loss.backward()
        descent.step()
        method.after_step()
    return method.eval()
