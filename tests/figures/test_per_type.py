"""Change per type under the published protocol, where re-scores stand beside the heads."""

from __future__ import annotations

import pandas as pd

from selfcell.figures import per_type
from tests.stats.score_factory import study


def test_neighbours_of_a_fine_tuned_code_are_no_runs_of_the_arm() -> None:
    made = study(draws=3)
    scores = made.scores.assign(protocol="published")
    again = scores[scores["mode"] == "fine-tuned"].assign(readout="knn5_drop", value=0.0)
    assert len(again)
    both = per_type.summary(pd.concat([scores, again], ignore_index=True), made.truths, {})
    pd.testing.assert_frame_equal(both, per_type.summary(scores, made.truths, {}))
