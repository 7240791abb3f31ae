"""Lineage-aware scores: a prediction is judged by where it stands in the Cell Ontology.

Two rules. The study's own is asymmetric: a descendant of the true type counts as right, an
ancestor does not. The other is symmetric: similarity by information content, so that a coarse
answer earns part of the score and a fine one is not right for free.

What the ontology cannot say is stated, not guessed:
- A label without a term ("unmapped") is right only if the very label is predicted.
- Labels that share one term cannot be told apart here; predicting the other counts as right.
- A type that the training cells do not hold is none of the classes: a target's split leaves it out
  with its test cells, for every arm alike, and lists it (`data.splits`, "absent from training").

Shape suffixes: N test cells, K classes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from selfcell.metrics import classify
from selfcell.metrics.ontology import Ontology


@dataclass(frozen=True)
class Lineage:
    """The ontology's view of a class list.

    Attributes:
        classes: labels; a code is a position in it.
        terms: live term of each label, None where unmapped.
        within_KK: bool [true, predicted]: the predicted term is the true one or its descendant.
        similarity_KK: float64 Lin similarity in [0, 1], symmetric, diagonal 1.
        unmapped: labels without a live term.
        shared: groups of labels that have one term.
    """

    classes: Sequence[str]
    terms: Sequence[str | None]
    within_KK: np.ndarray
    similarity_KK: np.ndarray
    unmapped: Sequence[str]
    shared: Sequence[Sequence[str]]

    @classmethod
    def of(cls, classes: Sequence[str], ids: Mapping[str, str], ontology: Ontology) -> Lineage:
        """Place labels in an ontology.

        Args:
            classes: labels, in code order.
            ids: ontology id by label; labels may be missing, empty or "unknown".
            ontology: obsolete ids are followed to their replacement.
        """
        terms = [ontology.resolve(ids.get(label, "")) for label in classes]
        within_KK = np.eye(len(classes), dtype=bool)
        similarity_KK = np.eye(len(classes))
        for i, true in enumerate(terms):
            for j, predicted in enumerate(terms):
                if true is not None and predicted is not None:
                    within_KK[i, j] = ontology.is_within(predicted, true)
                    similarity_KK[i, j] = ontology.lin(true, predicted)
        groups: dict[str, list[str]] = {}
        for label, term in zip(classes, terms, strict=True):
            if term is not None:
                groups.setdefault(term, []).append(label)
        unmapped = [label for label, term in zip(classes, terms, strict=True) if term is None]
        shared = [group for group in groups.values() if len(group) > 1]
        return cls(list(classes), terms, within_KK, similarity_KK, unmapped, shared)

    def forgive(self, true_N: np.ndarray, predicted_N: np.ndarray) -> np.ndarray:
        """Predictions with each descendant of the true type replaced by the true type.

        Source: Richter et al. 2024, evaluation by the ontology's child matrix.
        Differs from the paper: nothing.
        """
        right_N = (predicted_N >= 0) & self.within_KK[true_N, predicted_N]
        return np.where(right_N, true_N, predicted_N)

    def similarity(self, true_N: np.ndarray, predicted_N: np.ndarray) -> np.ndarray:
        """(N,) Lin similarity of each prediction to the truth, in [0, 1]; 0 for "none".

        Source: `Ontology.lin`.
        """
        return np.where(predicted_N >= 0, self.similarity_KK[true_N, predicted_N], 0.0)


def score(true_N: np.ndarray, predicted_N: np.ndarray, lineage: Lineage) -> dict[str, float]:
    """Score predictions with the ontology.

    Source: `Lineage.forgive` and `Ontology.lin`. Differs from the paper: macro-F1 over true
    labels; the similarity is ours.

    Args:
        true_N, predicted_N: codes into `lineage.classes`; a prediction may be -1 ("none").

    Returns:
        `lineage_macro_f1`, `lineage_micro_f1` (asymmetric rule), `lin_macro` (mean over true types
        of the mean similarity) and `lin_micro` (mean over cells), in [0, 1].
    """
    forgiven_N = lineage.forgive(true_N, predicted_N)
    table_KK1 = classify.confusion(true_N, forgiven_N, len(lineage.classes))
    similarity_N = lineage.similarity(true_N, predicted_N)
    count_K = np.bincount(true_N)
    sum_K = np.bincount(true_N, weights=similarity_N)
    return {
        "lineage_macro_f1": classify.macro_f1(table_KK1),
        "lineage_micro_f1": classify.micro_f1(table_KK1),
        "lin_macro": float((sum_K[count_K > 0] / count_K[count_K > 0]).mean()),
        "lin_micro": float(similarity_N.mean()),
    }
