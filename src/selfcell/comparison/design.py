"""What is run on a reader's own cells: the configuration of their study."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path
from types import MappingProxyType
from typing import Any

from selfcell.comparison.cells import Cells, split
from selfcell.data.parse import nearest
from selfcell.data.registry import NAME
from selfcell.data.specs import MIN_FOUND
from selfcell.errors import ConfigError

TAKEN = ("released", "none", "own")
SMALL = 2048
"""Cells of a file from which on a step takes 256 cells; below it takes 64."""


@dataclass(frozen=True)
class Effort:
    """How much is run.

    Attributes:
        methods: pretext tasks. steps: of each. seeds: networks of each.
        regimes, draws: labels per type, and label draws.
        tuned: by labels per type, draws that are fine-tuned; empty: frozen networks alone.
        baselines: rivals without pre-training.
        genes: most variable genes of the training cells, that everything sees.
        max_cells: cells drawn of the file; 0: all.
        control: also pre-train on cells whose genes were shuffled, and train from scratch for
            longer and in one layer.
    """

    methods: tuple[str, ...]
    steps: int
    seeds: int
    regimes: tuple[int | str, ...]
    draws: int
    tuned: Mapping[int | str, int]
    baselines: tuple[str, ...]
    genes: int
    max_cells: int = 0
    control: bool = False


_PLAIN = ("pca", "logreg", "random_encoder", "majority", "permuted", "perfect")
EFFORTS: Mapping[str, Effort] = MappingProxyType(
    {
        "quick": Effort(
            methods=("random_mask",), steps=200, seeds=3, regimes=(10, "all"), draws=5, tuned={},
            baselines=_PLAIN, genes=1000, max_cells=20_000,
        ),
        "default": Effort(
            methods=("random_mask", "simclr"), steps=400, seeds=3, regimes=(3, 10, 30, "all"),
            draws=10, tuned={10: 3, "all": 1}, baselines=(*_PLAIN, "self_training"), genes=2000,
        ),
        "full": Effort(
            methods=("random_mask", "byol", "barlow_twins", "simclr", "vicreg"), steps=1000,
            seeds=5, regimes=(3, 10, 30, "all"), draws=20, tuned={10: 10, "all": 3},
            baselines=(*_PLAIN, "self_training", "random_projection"), genes=2000, control=True,
        ),
    }
)  # fmt: skip


def name_of(path: Path, taken: Collection[str] = ()) -> str:
    """A name out of a file's: letters, digits, `_` and `-`; "cells" where that leaves nothing, or
    a name that the study itself gives something. Numbered where it is taken. An end in `_shuffled`
    goes: it names a control."""
    name = re.sub(r"[^A-Za-z0-9_-]+", "-", path.name.split(".")[0]).strip("-_")
    name = name.removesuffix("_shuffled")
    name = name if name and name not in TAKEN else "cells"
    numbered = (f"{name}-{number}" for number in count(2))
    return next(each for each in chain([name], numbered) if each not in taken)


def require_name(name: str) -> None:
    """Raise ConfigError for a name that no study can have; "" stands for the file's."""
    if name and (not re.fullmatch(NAME, name) or name in TAKEN):
        raise ConfigError(
            f"--name {name}", "letters, digits, `_`, `.` and `-`, and none of " + ", ".join(TAKEN)
        )


def configuration(
    cells: Cells,
    name: str,
    effort: str = "default",
    corpora: Sequence[str] = (),
    corpus_layer: str = "",
    max_cells: int | None = None,
    min_test: int = 15,
    models: Mapping[Path, str] = MappingProxyType({}),
    min_found: float = MIN_FOUND,
) -> dict[str, Any]:
    """The configuration of a study of these cells, as `selfcell.config` reads it.

    Args:
        name: of the study and its target. effort: a key of `EFFORTS`.
        corpora: other cells to pre-train on, each by itself: names of the registry, or files.
        corpus_layer: where the raw counts of those files are; "" for X.
        max_cells: cells drawn of the file; None: the effort's, 0: all. min_test: as in `look`.
        models: names, by folder, of ready models; numbered where they are taken.
        min_found: share of their genes that the cells must have.

    Raises:
        ConfigError: an unknown effort, or a corpus that is no file and not in the registry.
    """
    if effort not in EFFORTS:
        raise ConfigError(f"unknown effort {effort!r}", nearest(effort, EFFORTS))
    asked = EFFORTS[effort]
    limit = asked.max_cells if max_cells is None else max_cells
    own_pool, shuffled = f"{name}_pool", f"{name}_pool_shuffled"
    taken = [name, own_pool, shuffled]
    others = _others(corpora, corpus_layer, taken)
    named = [own_pool, *(entry["name"] for entry in others)]
    ready = _ready(models, taken, min_found)
    given = [entry["name"] for entry in ready]
    return {
        "study": name,
        "lineage": {"scores": False},
        "former_symbols": False,
        "datasets": [_own(cells, name, limit), *others],
        "quality": {"min_genes": cells.min_genes},
        "vocabulary": {
            "corpus_genes": asked.genes,
            "target_genes": asked.genes,
            "transcription_factors": False,
        },
        "corpora": _corpora(name, named, shuffled if asked.control else ""),
        "models": ready,
        "targets": [
            {
                "name": name,
                "dataset": name,
                "split": split(cells.batch),
                "corpora": named + [shuffled] * asked.control,
                "models": given,
                "fine_tune": [*named, *given] if asked.tuned else [],
            }
        ],
        "labels": {"regimes": list(asked.regimes), "draws": asked.draws, "min_test": min_test},
        **_budget(asked, cells.n_cells),
    }


def _corpora(name: str, named: Sequence[str], control: str) -> list[dict[str, Any]]:
    """The training cells of the file, other cells, and the control of shuffled genes if it has a
    name."""
    pool = {"sources": [{"dataset": name, "pool_of": name}], "vocabulary": False}
    found: list[dict[str, Any]] = [{"name": named[0], **pool}]
    found += [{"name": each, "sources": [{"dataset": each}]} for each in named[1:]]
    if control:
        shuffled = {"shuffle_genes": True, "methods": ["random_mask"]}
        found.append({"name": control, **pool, **shuffled})
    return found


def _budget(asked: Effort, n_cells: int) -> dict[str, Any]:
    """The sections that say how much is trained and held against it."""
    return {
        "pretraining": {
            "steps": asked.steps,
            "batch": 256 if n_cells >= SMALL else 64,
            "seeds": list(range(asked.seeds)),
        },
        "methods": [{"name": method} for method in asked.methods],
        "frozen": {"readouts": ["probe", "prototype", "knn5"]},
        "fine_tuning": {
            "methods": ["random_mask"] if asked.tuned else [],
            "regimes": [{"labels": n, "draws": draws} for n, draws in asked.tuned.items()],
            "scratch_long": asked.control,
            "scratch_shallow": asked.control,
        },
        "baselines": list(asked.baselines),
    }


def _own(cells: Cells, name: str, max_cells: int) -> dict[str, Any]:
    entry = {"name": name, "path": str(cells.path), "sha256": cells.sha256, "layer": cells.layer}
    entry |= {"gene_ids": cells.gene_ids, "label": cells.labels, "donor": cells.batch}
    kept: dict[str, Any] = {key: value for key, value in entry.items() if value}
    return kept | {"max_cells": max_cells}


def _others(corpora: Sequence[str], layer: str, taken: list[str]) -> list[dict[str, Any]]:
    """Corpora as entries of `datasets`; `taken` grows by their names."""
    from selfcell.config import REGISTRY
    from selfcell.data.registry import Registry

    known, found = Registry.load(REGISTRY).datasets, []
    for text in corpora:
        path = Path(text).expanduser().absolute()
        entry = {"name": text}
        if path.exists():
            entry = {"name": name_of(path, taken), "path": str(path)}
            entry |= {"layer": layer} if layer else {}
        elif text not in known:
            raise ConfigError(
                f"--corpus {text}: there is no such file, and no data set of that name",
                nearest(text, known),
                "name a file of cells, or one of the study's data sets",
            )
        elif text in taken:
            got = f"--corpus {text}: the study, or another corpus, has that name"
            raise ConfigError(got, "one name each", "give the study another: --name NAME")
        found.append(entry)
        taken.append(entry["name"])
    return found


def _ready(models: Mapping[Path, str], taken: list[str], min_found: float) -> list[dict[str, Any]]:
    """Entries of `models`; `taken` grows by their names."""
    found: list[dict[str, Any]] = []
    for folder, wanted in models.items():
        name = name_of(Path(wanted), taken)
        found.append({"name": name, "path": str(folder), "min_found": min_found})
        taken.append(name)
    return found
