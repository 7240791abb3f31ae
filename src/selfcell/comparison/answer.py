"""The answer of a study of a reader's own cells: should I pre-train?"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from selfcell.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

FILES = {
    "report": "report.html",
    "verdicts": "verdicts.parquet",
    "contrasts": "contrasts.parquet",
    "scores": "scores.parquet",
    "figures": "figures",
    "configuration": "study.yaml",
}
"""What a finished study holds for its reader, in its folder."""
MEANING = {
    "yes": "the gain is above {margin} macro-F1",
    "no": "a gain above {margin} macro-F1 is excluded",
    "undecided": "a gain above {margin} macro-F1 is neither shown nor excluded",
}


@dataclass(frozen=True)
class Comparison:
    """What `selfcell.compare` found.

    Attributes:
        about: study, cells, files; of a finished study answers (one for each corpus and scope) and
            cost, as `answer.json` holds them; of one that was not run, plan.
    """

    about: Mapping[str, Any]

    @property
    def answers(self) -> pd.DataFrame:
        """One row for each corpus and scope ("frozen" networks, or "all arms"), differences in
        macro-F1, times in seconds of processor time."""
        import pandas as pd

        return pd.DataFrame(self.about.get("answers", []))

    def __repr__(self) -> str:
        return self.text()

    def text(self) -> str:
        """The answers, or the plan, in words."""
        return "\n".join(_lines(self.about))


def _lines(about: Mapping[str, Any]) -> Iterator[str]:
    cells = about["cells"]
    if "plan" in about:
        plan = about["plan"]
        yield f"not run: {plan['jobs']} jobs, about {plan['core_minutes']:.0f} minutes of one core"
        yield f"to fetch: {plan['fetch_mb']:.0f} MB"
    else:
        for each in about["answers"]:
            yield from _answer(each)
        if not about["answers"]:
            yield "no answer: no pre-trained network ended well; health.parquet says why"
        cost = about["cost"]
        yield f"cost: {cost['cpu_s'] / 60:.1f} minutes of processor time in {cost['runs']} runs"
    yield f"types: {'; '.join(cells['types'])}"
    for name, reason in cells["left_out"].items():
        yield f"left out: {name}, {reason}"
    yield from (f"{name}: {place}" for name, place in about["files"].items())


def _answer(row: Mapping[str, Any]) -> Iterator[str]:
    low, high = row["interval_95"]
    said = MEANING[row["answer"]].format(margin=row["margin"])
    yield f"should I pre-train on {row['corpus']} ({row['scope']})? {row['answer']}: {said}"
    yield (
        f"  difference {row['difference']:+.3f} [{low:+.3f}, {high:+.3f}] (95 %), smallest "
        f"detectable {row['smallest_detectable']:.3f}"
    )
    yield f"  best with: {row['best_with']}; best without: {row['best_without']}"
    if row["shared_variance"] is not None:  # of a ready model neither is known
        yield (
            f"  one network took {row['cpu_s']:.0f} s of processor time; variation of the test "
            f"cells that the corpus shares: {row['shared_variance']:.2f}"
        )
    if genes := row["genes"]:
        yield (
            f"  {genes['found']} of its {genes['genes']} genes are in the file, with "
            f"{genes['counts_kept']:.0%} of the counts; the others read as 0"
        )
    yield from [f"  {row['note']}"] * bool(row["note"])


def _aligned(folder: Path) -> dict[str, Any] | None:
    """What became of a ready model's genes; None for a model of the study's own genes."""
    found = [json.loads(path.read_text(encoding="utf-8")) for path in folder.glob("*.json")]
    return found[0] if found else None


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


def read(folder: Path, study: str) -> dict[str, Any]:
    """Answers, cost and files of a finished study.

    Raises DataError where the folder holds another study.
    """
    from selfcell.stats.equivalence import MARGIN
    from selfcell.stats.predictions import COSTS
    from selfcell.stats.pretrain import VERDICTS

    verdicts = VERDICTS.read(folder / "verdicts.parquet")
    costs = COSTS.read(folder / "costs.parquet")
    if set(costs.study) != {study}:
        raise DataError(f"{folder} holds the study {', '.join(set(costs.study))}", study)
    answers = [
        {
            "corpus": row.corpus,
            "scope": row.scope,
            "answer": row.answer,
            "difference": row.difference,
            "interval_95": [row.low, row.high],
            "interval_90": [row.low90, row.high90],
            "smallest_detectable": row.sde,
            "margin": MARGIN,
            "labels_per_type": row.regimes.split(","),
            "best_with": row.best_pretrained,
            "best_without": row.best_without,
            "shared_variance": _known(row.shared_variance),
            "cpu_s": _known(row.cpu_s),
            "note": row.note,
            "genes": _aligned(folder / "ready" / row.corpus / "alignment"),
        }
        for row in verdicts[verdicts.role == "study"].itertuples()
    ]
    cost = {"runs": len(costs), "cpu_s": round(float(costs.cpu_s.sum()), 1)}
    cost["peak_mb"] = float(costs.peak_mb.max())
    there = {name: folder / file for name, file in FILES.items() if (folder / file).exists()}
    return {
        "answers": answers,
        "cost": cost,
        "files": {name: str(path) for name, path in there.items()},
    }
