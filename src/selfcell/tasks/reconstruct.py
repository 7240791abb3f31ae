"""Gene-expression reconstruction: encode one half of each cell's molecules, predict the other.

Scored in log1p of counts per 10,000, over the genes that the target measured and that its scored
molecules hold at all: the same genes, cells and halves for every arm of a target. Readouts:
"decoder", a masked autoencoder's own (or principal components turned back), which saw no cell of
the target unless its corpus holds them, "decoder_nb" where it is a negative binomial's; "ridge", a
linear map from the frozen code to the genes, fitted alike to every arm on the halves of the
target's pool. Test cells are never learned from.

Shape suffixes: P pool cells, N test cells, G genes, S scored genes, D dimensions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import torch

from selfcell.baselines.random_encoder import embed
from selfcell.data.cells import StoreCells
from selfcell.data.store import Store
from selfcell.data.thinning import Halves, thin
from selfcell.keys import derive, generator
from selfcell.metrics.reconstruct import BATCHED, METRICS, Sums
from selfcell.specs import FrozenSpec, Thinning
from selfcell.stats.predictions import PREDICTIONS
from selfcell.stats.table import COLUMNS
from selfcell.tasks import ridge
from selfcell.tasks.decoder import Decoder
from selfcell.tasks.model import Trained
from selfcell.tasks.score import UNSCORED, embedding_status

CHUNK = 1024  # the released code's batch in testing, of which `BATCHED` are means
RUN = ("target", "corpus", "method", "init", "seed", "draw", "mode", "readout", "status")
Predict = Callable[[slice], np.ndarray]


@dataclass(frozen=True)
class Molecules:
    """A target's cells with their molecules divided.

    Attributes:
        keys: columns target and split of the score table. draw: number of the division.
        gene_ids: the vocabulary. pool, test: halves of the cells.
        measured_G: bool, genes that the target measured. scored_G: bool, those that are scored.
        mean_G: float32 mean over the pool of the half to score.
        key_P: int64 noise keys of the pool cells. batch_N: text, batch of each test cell.
    """

    keys: Mapping[str, str]
    draw: int
    gene_ids: Sequence[str]
    pool: Halves
    test: Halves
    measured_G: np.ndarray
    scored_G: np.ndarray
    mean_G: np.ndarray
    key_P: np.ndarray
    batch_N: np.ndarray

    @classmethod
    def read(cls, store: Store, split: Mapping[str, Any], spec: Thinning, draw: int) -> Molecules:
        """Read and divide the cells of a target; the same in every job."""
        cells, halves = {}, {}
        for side in ("pool", "test"):
            own = StoreCells.named(store, fewest_hash(split[side], spec.max_cells))
            rng = generator("thinning", split["target"], side, draw)
            halves[side] = thin(own.rows(np.arange(len(own.ids))), own.total_N, rng)
            cells[side] = own
        present_G = np.bincount(halves["test"].hidden_NG.indices, minlength=len(store.gene_ids)) > 0
        return cls(
            keys={"target": split["target"], "split": split["hash"]},
            draw=draw,
            gene_ids=store.gene_ids,
            **halves,
            measured_G=store.measured_G,
            scored_G=store.measured_G & present_G,
            mean_G=np.asarray(halves["pool"].hidden_NG.mean(0), dtype=np.float32).ravel(),
            key_P=cells["pool"].key_N,
            batch_N=cells["test"].column("batch").astype(str),
        )

    @property
    def n_pool(self) -> int:
        """Pool cells."""
        return int(self.pool.seen_NG.shape[0])

    @property
    def n_test(self) -> int:
        """Test cells."""
        return int(self.test.seen_NG.shape[0])

    def sums(self, predict: Predict) -> Sums:
        """Sums over the test cells of predictions (rows, S), asked for chunk by chunk."""
        total = Sums.none(int(self.scored_G.sum()))
        for start in range(0, self.n_test, CHUNK):
            rows = slice(start, min(start + CHUNK, self.n_test))
            truth_NS = self.test.hidden_NG[rows].toarray()[:, self.scored_G]
            total += Sums.of(truth_NS, predict(rows))
        return total

    def ridge(self, pool_PD: np.ndarray, test_ND: np.ndarray) -> Sums:
        """Sums of the ridge readout of a code of the seen halves."""
        hidden_PS = self.pool.hidden_NG[:, np.flatnonzero(self.scored_G)].toarray()
        fitted = ridge.fit(pool_PD, hidden_PS)
        return self.sums(lambda rows: fitted.predict(test_ND[rows]))

    def decoder(self, decode: Decoder, test_ND: np.ndarray) -> Sums:
        """Sums of a decoder; of genes that it never learned it predicts the pool's mean, which
        explains none of their variance."""
        learned_S = decode.decoded_G[self.scored_G]
        # The hidden half's own molecules are not told; the seen half has as many but for chance.
        total_N = torch.from_numpy(self.test.seen_N.astype(np.float32))

        def predict(rows: slice) -> np.ndarray:
            y_NG = decode(torch.from_numpy(test_ND[rows]), total_N[rows]).numpy()
            y_NS = y_NG[:, self.scored_G]
            return np.where(learned_S, y_NS, self.mean_G[self.scored_G])

        return self.sums(predict)


def fewest_hash(ids: Sequence[str], n: int) -> list[str]:
    """The n ids of lowest hash, in their order: a choice nested in n that depends on no order."""
    if len(ids) <= n:
        return list(ids)
    ranks = np.array([derive("max_cells", cell) for cell in ids], dtype=np.int64)
    return [ids[place] for place in np.sort(np.argsort(ranks, kind="stable")[:n])]


@dataclass
class Rows:
    """Rows of one arm under construction.

    Attributes:
        keys: study, protocol, corpus, method, init, seed, mode and run_hash of the score table.
    """

    keys: Mapping[str, Any]
    _scores: list[dict[str, Any]] = field(default_factory=list)
    _genes: list[pd.DataFrame] = field(default_factory=list)

    def add(
        self, data: Molecules, readout: str, sums: Sums | None, n_train: int, status: str = "ok"
    ) -> None:
        """One readout of one division; no sums where the status is one of `UNSCORED`."""
        every = METRICS | BATCHED
        values = dict.fromkeys(every, np.nan)
        if sums is not None:  # a bound without a prediction has no batches
            values = sums.values() | sums.batch_values()
        run = {**data.keys, "draw": data.draw, "readout": readout, "status": status}
        size = {"n_labels": 0, "n_train": n_train, "n_test": data.n_test}
        self._scores += [
            {**run, **size, "metric": name, "value": value, "higher_is_better": every[name]}
            for name, value in values.items()
        ]
        if sums is None:
            return
        genes = {
            "gene_id": np.asarray(data.gene_ids)[data.scored_G],
            "explained": sums.explained_G.astype(np.float32),
            "mse": sums.mse_G.astype(np.float32),
            "variance": sums.variance_G.astype(np.float32),
        }
        whole = {**self.keys, **run}
        self._genes.append(pd.DataFrame({**{name: whole[name] for name in RUN}, **genes}))

    def frames(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        """The score rows, and no prediction rows."""
        plain = {"task": "reconstruction", "regime": "none", "level": "overall", "label": ""}
        scores = pd.DataFrame(self._scores).assign(**plain, **self.keys)
        return scores[COLUMNS], pd.DataFrame(columns=PREDICTIONS.names)

    def genes(self) -> pd.DataFrame:
        """By scored gene: columns of `RUN`, gene_id, explained (variance), mse and variance."""
        return pd.concat(self._genes, ignore_index=True) if self._genes else no_genes()


def no_genes() -> pd.DataFrame:
    """The table by gene of a run without a score."""
    numbers = {name: np.array([], np.float32) for name in ("explained", "mse", "variance")}
    return pd.DataFrame({**{name: [] for name in (*RUN, "gene_id")}, **numbers})


def frozen(
    spec: FrozenSpec, model: Trained, store: Store, split: Mapping[str, Any], run_hash: str
) -> Rows:
    """Rows of a frozen model on one target. Needs `spec.reconstruction`."""
    assert spec.reconstruction is not None
    keys = spec.keys("pretrained", "frozen", run_hash)
    rows, encoder = Rows(keys), model.put_into(spec.network)
    for draw in range(spec.reconstruction.draws):
        data = Molecules.read(store, split, spec.reconstruction, draw)
        pool_PD, test_ND = embed(encoder, data.pool.seen_NG), embed(encoder, data.test.seen_NG)
        status = embedding_status(pool_PD, test_ND, model.status)
        scored = status not in UNSCORED
        rows.add(
            data, "ridge", data.ridge(pool_PD, test_ND) if scored else None, data.n_pool, status
        )
        if model.decoder is not None:
            sums = data.decoder(model.decoder, test_ND) if scored else None
            rows.add(data, model.decoder.readout, sums, 0, status)
    return rows
