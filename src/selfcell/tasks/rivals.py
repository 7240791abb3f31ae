"""The data that a target's baselines get, out of the study's stores.

Shape suffixes: N cells, G genes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy import sparse

from selfcell.baselines.base import BaselineInputs, Supervision
from selfcell.data.cells import Source, StoreCells, log_normalise
from selfcell.data.corpus import Corpus
from selfcell.data.store import Store
from selfcell.specs import BaselineSpec
from selfcell.tasks.score import Truth

OWN_GENES = 1000  # of the target's own pool; the vocabulary takes as many from each target


def most_variable(x_NG: sparse.csr_matrix, n: int) -> np.ndarray:
    """(G,) bool: the n genes whose log-expression varies most over the cells, label-free."""
    mean_G = np.asarray(x_NG.mean(axis=0)).ravel()
    variance_G = np.asarray(x_NG.multiply(x_NG).mean(axis=0)).ravel() - mean_G**2
    chosen_G = np.zeros(x_NG.shape[1], dtype=bool)
    chosen_G[np.argsort(-variance_G, kind="stable")[:n]] = True
    return chosen_G


def expression(cells: Source, rows: np.ndarray) -> sparse.csr_matrix:
    """(len(rows), G) float32 CSR log1p expression of some cells."""
    return log_normalise(cells.rows(rows), cells.total_N[rows])


def inputs(
    spec: BaselineSpec,
    stores: Mapping[str, Store],
    splits: Mapping[str, Mapping[str, Any]],
    run_hash: str,
) -> BaselineInputs:
    """Expression of a target's pool, test cells and corpora, as its baselines take them.

    Args:
        stores: by data set. splits: by target; those of other targets keep their test cells out
            of the corpora.
    """
    split = splits[spec.target]
    store = stores[split["dataset"]]
    pool, test = (StoreCells.named(store, split[side]) for side in ("pool", "test"))
    pool_PG = expression(pool, np.arange(len(pool.ids)))
    corpora: dict[str, sparse.csr_matrix] = {}
    supervision: dict[str, Supervision] = {}
    for entry in spec.corpora:
        corpus = Corpus.build(entry, stores, splits)
        corpora[entry.name] = expression(corpus.cells, corpus.train_N)
        # Labels of the target's own data set are what the draws ration: they teach no corpus.
        if split["dataset"] not in {source.dataset for source in entry.sources}:
            supervision |= _supervision(spec, corpus)
    obs = store.obs.loc[split["test"]]
    known = next((c for c in ("batch", "donor") if (obs[c] != "unknown").all()), None)
    keys = {
        "study": spec.study,
        "protocol": spec.protocol,
        "target": spec.target,
        "split": split["hash"],
        "run_hash": run_hash,
    }
    return BaselineInputs(
        keys=keys,
        truth=Truth.of(split),
        pool_PG=pool_PG,
        test_NG=expression(test, np.arange(len(test.ids))),
        corpora=corpora,
        gene_ids=store.gene_ids,
        own_G=most_variable(pool_PG, OWN_GENES),
        batch_N=obs[known].to_numpy(dtype=str) if known else np.full(len(obs), "one"),
        hidden=spec.network.hidden,
        activation=spec.network.activation,
        seeds=spec.seeds,
        supervision=supervision,
    )


def _supervision(spec: BaselineSpec, corpus: Corpus) -> dict[str, Supervision]:
    """A corpus's labels, by its name; none of a shuffled corpus or one without labels."""
    if not isinstance(corpus.cells, StoreCells):
        return {}
    label_N = corpus.cells.column("label")[corpus.train_N]
    known = (label_N != "") & (label_N != "unknown")
    if not known.any():
        return {}
    own = Supervision(
        corpus.cells, corpus.train_N[known], label_N[known], spec.network, spec.training
    )
    return {corpus.name: own}
