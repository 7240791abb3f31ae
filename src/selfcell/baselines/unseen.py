"""Rivals and controls on unseen data, by name in `RIVALS`.

Each learns from the reference alone. `logreg_shared` is fitted anew on the genes that the query
still has: what to do instead of filling in zeros, where one knows which names are right.

Shape suffixes: P reference cells, N query cells, G genes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
from scipy import sparse

from selfcell.baselines import pca
from selfcell.baselines.base import NONE, OWN_POOL
from selfcell.baselines.random_encoder import embed
from selfcell.errors import ConfigError
from selfcell.keys import generator
from selfcell.specs import UnseenSpec
from selfcell.tasks import logistic
from selfcell.tasks.model import new_encoder
from selfcell.tasks.rivals import OWN_GENES, most_variable
from selfcell.tasks.unseen import Data, Predict, Rows, View


def rivals(spec: UnseenSpec, data: Data, run_hash: str) -> Iterator[Rows]:
    """Rows of every rival asked for. Raises ConfigError for a name that `RIVALS` lacks."""
    unknown = [name for name in spec.rivals if name not in RIVALS]
    if unknown:
        raise ConfigError(f"unknown rival {unknown[0]!r}", f"one of {', '.join(RIVALS)}")
    keys = {"study": spec.study, "protocol": spec.protocol, "run_hash": run_hash}
    keys |= {"mode": "baseline", "init": "none", "corpus": NONE}
    for name in spec.rivals:
        for seed in spec.seeds if name in SEEDED else [0]:
            init = "random" if name in SEEDED else "none"
            rows = Rows({**keys, "method": name, "seed": seed, "init": init}, data)
            RIVALS[name](spec, data, rows, seed)
            yield rows


def components(spec: UnseenSpec, data: Data, rows: Rows, _seed: int) -> None:
    """Principal components of the reference's cells, read as a network's code is."""
    axes = pca.fit(data.x_PG, spec.network.hidden[-1])
    rows.keys = {**rows.keys, "corpus": OWN_POOL}
    rows.code(spec.cells.shares, spec.cells.readouts, axes.embed)


def random_encoder(spec: UnseenSpec, data: Data, rows: Rows, seed: int) -> None:
    """The study's encoder with its initial weights."""
    net = new_encoder(data.x_PG.shape[1], spec.network, seed).eval()
    rows.code(spec.cells.shares, spec.cells.readouts, partial(embed, net))


def logreg(spec: UnseenSpec, data: Data, rows: Rows, _seed: int) -> None:
    """Logistic regression on the genes that the reference varies most in."""
    genes = np.flatnonzero(most_variable(data.x_PG, OWN_GENES))

    def fit(_draw: int, cells: np.ndarray, y_P: np.ndarray) -> Predict:
        return _classifier(data, cells, y_P, genes)

    rows.predict(spec.cells.shares, "none", fit)


def logreg_shared(spec: UnseenSpec, data: Data, rows: Rows, _seed: int) -> None:
    """The same, fitted anew on those of the genes that the query has under their own name."""

    def fit(_draw: int, cells: np.ndarray, y_P: np.ndarray) -> Predict:
        def predict(view: View) -> np.ndarray:
            left_PG = data.x_PG.multiply(view.left_G).tocsr()
            genes = np.flatnonzero(most_variable(left_PG, OWN_GENES) & view.left_G)
            return _classifier(data, cells, y_P, genes)(view)

        return predict

    rows.predict(spec.cells.shares, "none", fit)


def _classifier(data: Data, cells: np.ndarray, y_P: np.ndarray, genes: np.ndarray) -> Predict:
    x_PG: sparse.csr_matrix = data.x_PG[cells][:, genes]
    model = logistic.fit(x_PG.toarray(), y_P, len(data.truth.classes))
    return lambda view: np.asarray(model.proba(view.x_NG[:, genes]).argmax(1))


def majority(spec: UnseenSpec, data: Data, rows: Rows, _seed: int) -> None:
    """The reference's most frequent type, for every cell."""
    code = int(np.bincount(data.truth.pool_P).argmax())
    predicted_N = np.full(len(data.truth.test_N), code)
    rows.predict(spec.cells.shares, "none", lambda *_: lambda _view: predicted_N)


def permuted(spec: UnseenSpec, data: Data, rows: Rows, _seed: int) -> None:
    """The truth, permuted among the query's cells, which are one batch."""

    def fit(draw: int, _cells: np.ndarray, _y_P: np.ndarray) -> Predict:
        rng = generator("unseen permuted", data.keys["target"], draw)
        predicted_N = rng.permutation(data.truth.test_N)
        return lambda _view: predicted_N

    rows.predict(spec.cells.shares, "none", fit)


def perfect(spec: UnseenSpec, data: Data, rows: Rows, _seed: int) -> None:
    """The truth itself."""
    rows.predict(spec.cells.shares, "none", lambda *_: lambda _view: data.truth.test_N)


SEEDED = ("random_encoder",)
RIVALS: dict[str, Callable[[UnseenSpec, Data, Rows, int], None]] = {
    "pca": components,
    "logreg": logreg,
    "logreg_shared": logreg_shared,
    "random_encoder": random_encoder,
    "majority": majority,
    "permuted": permuted,
    "perfect": perfect,
}
