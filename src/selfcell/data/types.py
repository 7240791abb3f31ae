"""Cell types that several data sets have in common, each of which calls them by its own names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from selfcell.errors import DataError

Types = Mapping[str, Mapping[str, Sequence[str]]]
"""By common type, the labels that mean it, by data set."""


def common(label_N: np.ndarray, dataset: str, types: Types) -> np.ndarray:
    """(N,) text: the common type of each label of a data set, "" where it has none.

    Raises DataError for a label that no cell of the data set has, or that means two types.
    """
    there = set(label_N.tolist())
    meant: dict[str, str] = {}
    for name, by_dataset in types.items():
        for label in by_dataset.get(dataset, ()):
            if label not in there or label in meant:
                fault = "means two types" if label in meant else "is no label of a cell"
                raise DataError(
                    f"types.{name}.{dataset}: {label!r} {fault}",
                    f"labels of {dataset}: {', '.join(sorted(there))}; each once",
                )
            meant[label] = name
    return np.array([meant.get(label, "") for label in label_N.tolist()], dtype=str)
