"""One frozen model under every task that its study asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd

from selfcell.data.store import Store
from selfcell.specs import FrozenSpec
from selfcell.tasks import annotate, integrate, protein, reconstruct, unseen
from selfcell.tasks.model import Trained

Frames = tuple[pd.DataFrame, pd.DataFrame]


class Evaluated(NamedTuple):
    """Score and prediction rows of a job, and its rows by gene (None: no reconstruction)."""

    frames: list[Frames]
    genes: list[pd.DataFrame] | None


def frozen(
    spec: FrozenSpec,
    model: Trained,
    stores: Mapping[str, Store],
    splits: Sequence[Mapping[str, Any]],
    queries: Mapping[str, Mapping[str, Any]],
    run_hash: str,
) -> Evaluated:
    """Annotation and, where asked for, reconstruction on each target; proteins, integration and
    unseen data on theirs.

    Args:
        queries: by unseen target, the split of the target whose test cells it annotates.

    Raises StoreError where the model's genes are not a store's.
    """
    found = Evaluated([], None if spec.reconstruction is None else [reconstruct.no_genes()])
    for split in splits:
        store = stores[split["dataset"]]
        annotate.require_genes(model, store)
        if split.get("task") == "protein":
            assert spec.protein is not None
            own = protein.Data.read(stores, split, spec.protein)
            found.frames.append(protein.frozen(spec, model, own, run_hash).frames())
            continue
        data = annotate.Data.read(store, split)
        found.frames.append(annotate.frozen(spec, model, data, run_hash))
        if found.genes is not None:
            rows = reconstruct.frozen(spec, model, store, split, run_hash)
            found.frames.append(rows.frames())
            found.genes.append(rows.genes())
    for name, cells in spec.integrate.items():
        mixed = integrate.Data.read(name, cells, stores)
        arm = integrate.frozen(model, spec.network, mixed)
        found.frames.append(integrate.score(spec, mixed, [arm], run_hash))
    for name, afar in spec.unseen.items():
        far = unseen.Data.read(name, afar, stores, queries[name])
        found.frames.append(unseen.frozen(spec, model, far, run_hash).frames())
    return found
