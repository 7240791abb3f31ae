"""Which targets and corpora a page of many shows."""

from __future__ import annotations

import pandas as pd

from selfcell.figures import style

SIZES = {
    ("pbmc3k", "a"): 1,
    ("pbmc3k", "b"): 3,
    ("pbmc3k", "c"): 2,
    ("baron", "b"): 1,
    ("baron", "c"): 2,
    ("own", "a"): 1,
}


def shown(most: int) -> tuple[list[tuple[str, str]], str | None]:
    rows = [key for key, n in SIZES.items() for _ in range(n)]
    frame = pd.DataFrame(rows, columns=["target", "corpus"])
    kept, words = style.foremost(style.places(frame), most)
    return [place[:2] for place in kept], words


def test_every_target_comes_before_any_has_two() -> None:
    assert shown(3) == (
        [("pbmc3k", "b"), ("baron", "c"), ("own", "a")],
        "3 more pairs of target and corpus in the table",
    )
    assert shown(5) == (
        [("pbmc3k", "b"), ("pbmc3k", "c"), ("baron", "b"), ("baron", "c"), ("own", "a")],
        "1 more pair of target and corpus in the table",
    )


def test_a_page_with_room_shows_all_in_order() -> None:
    assert shown(6) == (list(SIZES), None)
