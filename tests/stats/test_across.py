"""Tables of integration and of unseen data, by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from selfcell.stats import across


def row(task: str, metric: str, value: float, **changes: Any) -> dict[str, Any]:
    fields = {
        "protocol": "intended", "task": task, "target": "t", "corpus": "c", "method": "m",
        "init": "pretrained", "mode": "frozen", "readout": "probe", "seed": 0, "draw": 0,
        "level": "overall", "label": "", "metric": metric, "value": value, "status": "ok",
    }  # fmt: skip
    return {**fields, **changes}


def test_integration_is_a_row_an_arm() -> None:
    rows = [
        row("integrate", "bio", 0.4), row("integrate", "bio", 0.6, seed=1),
        row("integrate", "batch", 0.2), row("integrate", "batch", 0.4, seed=1),
        row("integrate", "bio", np.nan, seed=2, status="collapsed"),
        row("integrate", "bio", 0.9, method="other"), row("annotate", "macro_f1", 0.1),
    ]  # fmt: skip
    found = across.integration(pd.DataFrame(rows)).set_index("method")
    assert found.bio["m"] == pytest.approx(0.5) and found.batch["m"] == pytest.approx(0.3)
    assert found.n_seeds["m"] == 2 and found.bio["other"] == 0.9
    assert len(found) == 2


def test_unseen_holds_a_curve_for_each_kind_from_the_whole_query_on() -> None:
    gone = {"level": "genes", "label": "removed 0.25"}
    mixed = {"level": "genes", "label": "renamed 0.5"}
    rows = [
        row("unseen", "macro_f1", 0.8), row("unseen", "macro_f1", 0.6, draw=1),
        row("unseen", "genes_shared", 0.9), row("unseen", "macro_f1", 0.5, **gone),
        row("unseen", "genes_shared", 0.675, **gone), row("unseen", "macro_f1", 0.3, **mixed),
    ]  # fmt: skip
    found = across.unseen(pd.DataFrame(rows)).set_index(["kind", "share"])
    assert found.macro_f1.to_dict() == pytest.approx(
        {
            ("removed", 0.0): 0.7,
            ("removed", 0.25): 0.5,
            ("renamed", 0.0): 0.7,
            ("renamed", 0.5): 0.3,
        }
    )
    assert found.genes_shared["removed", 0.25] == 0.675
    assert found.n_runs["removed", 0.0] == 2


def test_a_study_without_them_has_no_rows() -> None:
    scores = pd.DataFrame([row("annotate", "macro_f1", 0.1)])
    assert across.integration(scores).empty and across.unseen(scores).empty
