"""Change of F1 by type: which runs count. Its numbers: tests/figures."""

from __future__ import annotations

import pandas as pd

from selfcell.stats.by_type import FROZEN, changes
from selfcell.stats.contrasts import Spec
from tests.stats.score_factory import study


def test_neighbours_of_a_fine_tuned_code_are_no_runs_of_the_arm() -> None:
    made = study(draws=3)
    scores = made.scores.assign(protocol="published")
    again = scores[scores["mode"] == "fine-tuned"].assign(readout="knn5_drop", value=0.0)
    assert len(again)
    both = changes(pd.concat([scores, again], ignore_index=True), made.truths, Spec())
    pd.testing.assert_frame_equal(both, changes(scores, made.truths, Spec()))


def test_control_corpora_are_left_out_and_negative_controls_named() -> None:
    made = study(draws=3)
    plain = changes(made.scores, made.truths, Spec(control_corpora=()))
    (target, *_), corpora = sorted(set(plain.target)), sorted(set(plain.corpus))
    assert set(plain.role) == {"study"}
    named = changes(made.scores, made.truths, Spec(negative_controls={target: corpora}))
    assert set(named.role[named.target == target]) == {"negative control"}
    without = changes(made.scores, made.truths, Spec(control_corpora=tuple(corpora)))
    assert without.empty and len(plain)


def test_runs_that_failed_are_counted_and_not_averaged() -> None:
    made = study(draws=3)
    plain = changes(made.scores, made.truths, Spec())
    assert not plain.n_failed.any()
    (target, *_) = sorted(set(plain.target))
    failed = made.scores.method == "random_mask"
    failed &= (made.scores.target == target) & (made.scores.readout == "probe")
    failed &= (made.scores.regime == made.scores.regime[failed].iloc[0]) & (made.scores.draw == 1)
    seeds = made.scores.seed[failed].nunique()
    scores = made.scores.assign(
        status=made.scores.status.mask(failed, "not_learned"),
        value=made.scores.value.mask(failed, 0.0),
    )
    found = changes(scores, made.truths, Spec())
    own = (found.target == target) & (found.comparison == FROZEN)
    assert set(found.n_failed[own]) == {seeds}
    assert not found.n_failed[~own].any()
    without = changes(made.scores[~failed], made.truths, Spec())
    pd.testing.assert_frame_equal(found.assign(n_failed=0), without)
