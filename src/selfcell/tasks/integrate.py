"""Data integration: cells of several batches in one embedding, types apart and batches together.

Labels serve the score alone. A network is scored frozen and, where asked for, after it went on
learning by its own pretext task on the target's cells, without labels; the same steps from fresh
weights ("scratch") say what its pre-training was worth. Seeds of pre-training are the only repeats:
the cells are the same for every arm.

Source: Richter et al. 2024, data integration (scib-metrics; networks fine-tuned without labels).
Differs from the paper: all of scIB's biological metrics, isolated labels included; batches and
biology also apart.

Shape suffixes: N cells, G genes, D dimensions.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from selfcell.baselines import pca
from selfcell.baselines.random_encoder import embed
from selfcell.data.cells import StoreCells, log_normalise
from selfcell.data.corpus import Corpus
from selfcell.data.specs import CorpusSpec
from selfcell.data.splits import UNKNOWN, matches
from selfcell.data.store import Store
from selfcell.data.types import common
from selfcell.errors import DataError
from selfcell.keys import derive
from selfcell.metrics import integrate as metrics
from selfcell.provenance import short_hash
from selfcell.specs import ContinuedSpec, Job, Mixture, Network, PretrainSpec
from selfcell.stats.predictions import PREDICTIONS
from selfcell.stats.table import COLUMNS
from selfcell.tasks.annotate import require_genes
from selfcell.tasks.model import Trained
from selfcell.tasks.pretrain import pretrain
from selfcell.tasks.score import UNSCORED, embedding_status

log = logging.getLogger("selfcell")

COMPONENTS = 50  # of the expression, that `pcr` compares with: as many as scIB takes
NONE, SCRATCH = "none", "scratch"


@dataclass(frozen=True)
class Data:
    """Cells of an integration target.

    Attributes:
        name: of the target. stores: by data set. cells: those that are scored.
        x_NG: float32 CSR log1p expression; genes that a data set lacks are 0 in all cells.
        type_N, batch_N: text. before_ND: principal components of the expression.
    """

    name: str
    stores: Mapping[str, Store]
    cells: StoreCells
    x_NG: sparse.csr_matrix
    type_N: np.ndarray
    batch_N: np.ndarray
    before_ND: np.ndarray

    @classmethod
    def read(cls, name: str, spec: Mixture, stores: Mapping[str, Store]) -> Data:
        """Choose and read the cells: those of a known type and batch, at most `max_cells` by
        hash, types of fewer than `min_cells` of them left out.

        Raises DataError where the batches are not known, or fewer than two types or batches
        remain.
        """
        cells = StoreCells.of([_rows(name, spec, source, stores) for source in spec.sources])
        type_N, batch_N = _types(spec, cells), _batches(spec, cells)
        kept = _kept(cells.ids, type_N, batch_N, spec)
        for what, label_N in (("type", type_N[kept]), ("batch", batch_N[kept])):
            if len(set(label_N.tolist())) < 2:
                raise DataError(
                    f"integration target {name!r}: {len(set(label_N.tolist()))} {what} among "
                    f"{len(kept)} cells of known type and batch",
                    "two at least",
                    "choose other cells, another `batch:`, or map labels under `types:`",
                )
        x_NG = log_normalise(cells.rows(kept), cells.total_N[kept])
        own = _part(cells, kept)
        before_ND = pca.fit(x_NG, COMPONENTS).embed(x_NG)
        return cls(name, stores, own, x_NG, type_N[kept], batch_N[kept], before_ND)

    @property
    def hash(self) -> str:
        """Of the cells with their types and batches: the `split` of the score table."""
        return short_hash([self.cells.ids, self.type_N.tolist(), self.batch_N.tolist()])


def _rows(name: str, spec: Mixture, source: Any, stores: Mapping[str, Store]) -> Any:
    store = stores[source.dataset]
    return store, np.flatnonzero(matches(store.obs, source.where, f"integration target {name!r}"))


def _types(spec: Mixture, cells: StoreCells) -> np.ndarray:
    label_N = np.asarray(cells.column("label"), dtype=str)
    if not spec.types:
        return np.where(np.isin(label_N, UNKNOWN), "", label_N)
    type_N = np.empty(len(label_N), dtype=object)
    for part, source in enumerate(spec.sources):
        own = cells.part_N == part
        type_N[own] = common(label_N[own], source.dataset, spec.types)
    return type_N.astype(str)


def _batches(spec: Mixture, cells: StoreCells) -> np.ndarray:
    if spec.batch == "dataset":
        return np.array([source.dataset for source in spec.sources])[cells.part_N]
    return np.asarray(cells.column(spec.batch), dtype=str)


def _kept(ids: Sequence[str], type_N: np.ndarray, batch_N: np.ndarray, spec: Mixture) -> np.ndarray:
    """Positions of the cells that are scored, ascending; a choice that depends on no order."""
    known = np.flatnonzero((type_N != "") & ~np.isin(batch_N, UNKNOWN))
    rank = np.array([derive("max_cells", ids[row]) for row in known.tolist()], dtype=np.int64)
    kept = np.sort(known[np.argsort(rank, kind="stable")[: spec.max_cells]])
    names, counts = np.unique(type_N[kept], return_counts=True)
    return np.asarray(kept[np.isin(type_N[kept], names[counts >= spec.min_cells])])


def _part(cells: StoreCells, kept: np.ndarray) -> StoreCells:
    return replace(
        cells,
        part_N=cells.part_N[kept],
        row_N=cells.row_N[kept],
        key_N=cells.key_N[kept],
        total_N=cells.total_N[kept],
    )


@dataclass(frozen=True)
class Arm:
    """An embedding of the target's cells.

    Attributes:
        method, corpus, init, mode, seed, status: columns of the score table.
        z_ND: float32. n_train: cells of the target that it was learned on.
    """

    method: str
    corpus: str
    init: str
    mode: str
    seed: int
    z_ND: np.ndarray
    n_train: int = 0
    status: str = "ok"


def frozen(model: Trained, network: Network, data: Data) -> Arm:
    """A trained network as it is. Raises StoreError where its genes are not the stores'."""
    require_genes(model, data.cells.parts[0])
    about = model.about["spec"]
    z_ND = embed(model.put_into(network), data.x_NG)
    where = about["method"], about["corpus"]["name"]
    return Arm(*where, "pretrained", "frozen", about["seed"], z_ND, 0, model.status)


def continued(model: Trained, data: Data, spec: ContinuedSpec) -> Iterator[Arm]:
    """The model's method, trained for `spec.steps` on all cells of the target's sources, without
    labels: from the model's weights and, where asked for, from fresh ones under the name
    "scratch"."""
    chosen = CorpusSpec(name=data.name, sources=spec.cells.sources)
    corpus = Corpus.build(chosen, data.stores, {})
    about = PretrainSpec.model_validate(model.about["spec"])
    training = about.training.model_copy(update={"steps": spec.steps})
    task = about.model_copy(update={"corpus": chosen, "training": training})
    for fresh in [False] + [True] * spec.scratch:
        made = pretrain(task, corpus, {}, start=None if fresh else model.weights)
        status = made.health.status if made.health else "diverged"
        z_ND = embed(made.method.encoder.eval(), data.x_NG)
        arm = Arm(
            about.method, about.corpus.name, "pretrained", "fine-tuned", about.seed, z_ND,
            len(corpus.train_N), status,
        )  # fmt: skip
        yield replace(arm, method=SCRATCH, corpus=NONE, init="random") if fresh else arm


def score(
    spec: Job, data: Data, arms: Iterable[Arm], run_hash: str
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The score rows of all arms, and no prediction rows."""
    keys = {"study": spec.study, "protocol": spec.protocol, "run_hash": run_hash}
    keys |= {"task": "integrate", "target": data.name, "split": data.hash}
    keys |= {"regime": "none", "readout": "none", "level": "overall", "label": ""}
    rows = [row for arm in arms for row in _scored(arm, data)]
    numbers = {"draw": 0, "n_labels": 0, "n_test": len(data.type_N), "higher_is_better": True}
    scores = pd.DataFrame(rows).assign(**keys, **numbers)
    return scores[COLUMNS], pd.DataFrame(columns=PREDICTIONS.names)


def _scored(arm: Arm, data: Data) -> list[dict[str, Any]]:
    names = ("method", "corpus", "init", "mode", "seed", "n_train")
    own = {name: getattr(arm, name) for name in names}
    own["status"] = status = embedding_status(arm.z_ND, arm.z_ND, arm.status)
    if status in UNSCORED:
        found = dict.fromkeys(metrics.METRICS, np.nan)
    else:
        found = metrics.values(arm.z_ND, data.type_N, data.batch_N, data.before_ND)
        log.info(
            "%s %s %s: biology %.3f, batches %.3f",
            arm.mode, arm.method, arm.corpus, found["bio"], found["batch"],
        )  # fmt: skip
    return [{**own, "metric": name, "value": value} for name, value in found.items()]
