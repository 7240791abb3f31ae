"""Lineage-aware scores of every run, from its predictions: no run is made again for them.

Shape suffixes: N test cells.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from selfcell.errors import ConfigError, DataError
from selfcell.metrics.lineage import Lineage, score
from selfcell.metrics.ontology import Ontology
from selfcell.stats.predictions import PREDICTIONS, Truth
from selfcell.stats.table import COLUMNS

METRICS = ("lineage_macro_f1", "lineage_micro_f1", "lin_macro", "lin_micro")
RUN = PREDICTIONS.key


def read_labels(path: Path | str) -> dict[str, dict[str, str]]:
    """Ontology ids by data set and label. Raises ConfigError on anything but that."""
    try:
        data = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, json.JSONDecodeError) as error:
        raise ConfigError(f"{path}: {error}", "JSON: data set -> label -> ontology id") from error
    if not isinstance(data, dict) or not all(isinstance(own, dict) for own in data.values()):
        raise ConfigError(f"{path} has another layout", "JSON: data set -> label -> ontology id")
    return data


def place(
    truths: Mapping[str, Truth],
    keys: Mapping[str, str],
    labels: Mapping[str, Mapping[str, str]],
    ontology: Ontology,
) -> dict[str, Lineage]:
    """The classes of each target in the ontology.

    Args:
        keys: by target, under which name its data set stands in `labels`.
    """
    return {
        target: Lineage.of(truth.classes, labels.get(keys[target], {}), ontology)
        for target, truth in truths.items()
    }


def rows(
    scores: pd.DataFrame,
    predictions: pd.DataFrame,
    truths: Mapping[str, Truth],
    lineages: Mapping[str, Lineage],
) -> pd.DataFrame:
    """Four more overall rows for every annotation run: `METRICS`, by `metrics.lineage.score`.

    Targets none of whose types is mapped get none. A run without predictions gets empty values,
    as its other scores are.

    Raises:
        DataError: a run has a score and no predictions.
    """
    runs = scores[(scores.task == "annotate") & (scores.level == "overall")]
    runs = runs[runs.metric == "macro_f1"]
    mapped = [t for t, own in lineages.items() if len(own.unmapped) < len(own.classes)]
    runs = runs[runs.target.isin(mapped)].merge(predictions, on=list(RUN), how="left")
    found: list[dict[str, Any]] = []
    for run in runs.to_dict("records"):
        codes = run.pop("predicted")
        scored = dict.fromkeys(METRICS, np.nan)
        if run["value"] == run["value"]:
            if not isinstance(codes, np.ndarray):
                raise DataError(f"run {run['run_hash']} has a score and no predictions", "both")
            target = str(run["target"])
            true_N = truths[target].code_N.astype(np.int64)
            scored = score(true_N, codes.astype(np.int64), lineages[target])
        found += [{**run, "metric": name, "value": scored[name]} for name in METRICS]
    return pd.DataFrame(found, columns=COLUMNS)


def report(lineages: Mapping[str, Lineage]) -> dict[str, Any]:
    """What the ontology says of each target's types, JSON-ready: their terms, the labels without
    one (right only if the very label is predicted), and those that share one (not told apart)."""
    return {
        target: {
            "terms": dict(zip(own.classes, own.terms, strict=True)),
            "unmapped": list(own.unmapped),
            "shared": [list(group) for group in own.shared],
        }
        for target, own in lineages.items()
    }
