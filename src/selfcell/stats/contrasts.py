"""The table of contrasts: differences, intervals, adjusted p-values, verdicts."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields

import numpy as np
import pandas as pd

from selfcell.errors import ConfigError, DataError
from selfcell.stats import equivalence, table
from selfcell.stats.arms import Bench, build, one
from selfcell.stats.crossed import Estimate, crossed
from selfcell.stats.multiplicity import adjust
from selfcell.stats.paired import Paired, conditions, estimate, pair
from selfcell.stats.plan import Contrast, plan
from selfcell.stats.predictions import Truth
from selfcell.stats.roles import PART, ROLES
from selfcell.stats.schema import Column, Table

CONTRASTS = Table(
    "contrasts",
    (
        *(Column(name) for name in ("target", "corpus")),
        Column("role", allowed=ROLES),
        *(Column(name) for name in ("family", "name", "arm_a", "arm_b")),
        Column("metric"),
        Column("regimes"),
        Column("n_seeds", "integer", minimum=0),
        Column("n_draws", "integer", minimum=0),
        *(
            Column(name, "number", nullable=True)
            for name in ("difference", "low", "high", "low90", "high90", "p", "p_adjusted")
        ),
        *(
            Column(name, "number", nullable=True)
            for name in ("p_equivalence", "sde", "var_runs", "var_cells", "var_controls", "df")
        ),
        Column("margin", "number", minimum=0),
        Column("verdict", allowed=equivalence.VERDICTS),
        Column("n_failed", "integer", minimum=0),
        Column("note", empty=True),
    ),
    key=("target", "corpus", "family", "name", "arm_a", "arm_b", "regimes"),
)


@dataclass(frozen=True)
class Spec:
    """What the contrasts depend on beside the runs.

    Attributes:
        margin: equivalence margin, macro-F1.
        resamples: of the test cells.
        seed: of the resampling.
        control_corpora: corpora that have no family of primary contrasts of their own.
        parts: corpora that are parts of others.
        negative_controls: by target, corpora that are not expected to help.
        ready: models that the study did not train; they stand where corpora do.
    """

    margin: float = equivalence.MARGIN
    resamples: int = 500
    seed: int = 0
    control_corpora: tuple[str, ...] = ("kang_ctrl_shuffled",)
    parts: tuple[str, ...] = ()
    negative_controls: Mapping[str, Sequence[str]] = field(default_factory=dict)
    ready: tuple[str, ...] = ()

    @property
    def beside(self) -> tuple[str, ...]:
        """Corpora that no verdict is about."""
        return (*self.control_corpora, *self.parts)

    def role(self, target: str, corpus: str) -> str:
        """What a corpus is to a target: one of `ROLES`."""
        if corpus in self.control_corpora:
            return "control corpus"
        if corpus in self.parts:
            return PART
        expected = corpus not in self.negative_controls.get(target, ())
        return "study" if expected else "negative control"

    @classmethod
    def parse(cls, values: Mapping[str, object]) -> Spec:
        """Build from a mapping. Raises ConfigError for unknown keys."""
        known = [each.name for each in fields(cls)]
        unknown = sorted(set(values) - set(known))
        if unknown:
            raise ConfigError(f"unknown keys {unknown}", f"some of {known}")
        given = dict(values)
        for key in {"control_corpora", "parts", "ready"} & set(given):
            given[key] = tuple(given[key])  # type: ignore[arg-type]
        return cls(**given)  # type: ignore[arg-type]


def evaluate(bench: Bench, contrast: Contrast, spec: Spec) -> dict[str, object]:
    """One row of the contrast table, without the adjusted p and the verdict."""
    paired = pair(bench, contrast.a, contrast.b, contrast.regimes)
    row: dict[str, object] = {
        "target": bench.truth.target,
        "family": contrast.family,
        "name": contrast.name,
        "arm_a": contrast.a.name,
        "arm_b": contrast.b.name,
        "metric": bench.metric,
        "margin": spec.margin,
    }
    if paired is None:
        raise DataError(f"contrast {contrast.name}: the arms share no regime, seed and draw")
    row |= {"regimes": ",".join(paired.regimes), "n_failed": sum(paired.failed.values())}
    if paired.difference_SD.size == 0:
        counts = ", ".join(f"{n} {status}" for status, n in sorted(paired.failed.items()))
        return row | {"n_seeds": 0, "n_draws": 0, "note": f"no pair of runs is ok: {counts}"}
    controls = _controls(bench, contrast, paired)
    result = estimate(bench, paired, controls)
    (low, high), (low90, high90) = result.interval(0.95), result.interval(0.90)
    parts = {f"var_{part.name}": part.variance for part in result.parts}
    return row | {
        "n_seeds": result.n_seeds,
        "n_draws": result.n_draws,
        "difference": result.mean,
        "low": low,
        "high": high,
        "low90": low90,
        "high90": high90,
        "p": result.p(),
        "p_equivalence": equivalence.tost(result, spec.margin),
        "sde": equivalence.detectable(result),
        # an infinite df means a normal quantile; the table says so by an empty field
        "df": result.df if math.isfinite(result.df) else math.nan,
        "note": conditions(bench, paired, result, (contrast.a, contrast.b)),
        "estimate": result,
        **parts,
    }


def _controls(bench: Bench, contrast: Contrast, paired: Paired) -> list[Estimate]:
    if not contrast.b.averages:
        return []
    each = [pair(bench, contrast.a, one(arm), paired.regimes) for arm in contrast.b.arms]
    return [crossed(p.difference_SD) for p in each if p is not None and p.difference_SD.size]


def contrast_table(
    scores: pd.DataFrame,
    predictions: pd.DataFrame,
    truths: Mapping[str, Truth],
    spec: Spec,
) -> pd.DataFrame:
    """Every contrast of a study, by target and corpus, with adjusted p-values and verdicts.

    Holm over the primary contrasts of a target and corpus, Benjamini-Hochberg over its secondary
    ones; nothing is pooled over targets. A contrast whose runs all failed keeps its row.

    Raises:
        DataError: a target without a split, or predictions that do not reproduce the scores.
    """
    from tqdm import tqdm

    rows = []
    for bench in benches(scores, predictions, truths, spec):
        for corpus in corpora(bench):
            head = {"corpus": corpus, "role": spec.role(bench.truth.target, corpus)}
            planned = tqdm(
                plan(bench, corpus, spec.control_corpora, spec.parts),
                desc=f"{bench.truth.target} from {corpus}",
                mininterval=1,
                unit="contrast",
            )
            found = [evaluate(bench, each, spec) | head for each in planned]
            rows += judge(found, spec)
    frame = pd.DataFrame(rows, columns=[column.name for column in CONTRASTS.columns])
    return frame.astype({"n_seeds": int, "n_draws": int, "n_failed": int})


def benches(
    scores: pd.DataFrame, predictions: pd.DataFrame, truths: Mapping[str, Truth], spec: Spec
) -> Iterator[Bench]:
    """The bench of each target. Raises DataError for a target without a split."""
    rows = table.overall(scores, "macro_f1")
    for target, own in rows.groupby("target", sort=True):
        if target not in truths:
            raise DataError(f"target {target!r} has scores but no split", f"one of {list(truths)}")
        guesses = predictions[predictions.target == target]
        yield build(own, guesses, truths[str(target)], spec.resamples, spec.seed)


def corpora(bench: Bench) -> list[str]:
    """Corpora with pre-trained arms on this target."""
    return sorted({arm.corpus for arm in bench.arms if arm.init == "pretrained"})


def judge(found: Sequence[dict[str, object]], spec: Spec) -> list[dict[str, object]]:
    """Rows of one target and corpus with adjusted p-values and verdicts."""
    for family in ("primary", "secondary"):
        rows = [row for row in found if row["family"] == family]
        adjusted = adjust(np.array([row.get("p", math.nan) for row in rows], float), family)
        for row, p_adjusted in zip(rows, adjusted, strict=True):
            row["p_adjusted"] = float(p_adjusted)
            result = row.pop("estimate", None)
            row["verdict"] = (
                equivalence.verdict(result, float(p_adjusted), spec.margin)
                if isinstance(result, Estimate)
                else "not run"
            )
    return list(found)
