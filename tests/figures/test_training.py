"""Training curves: names of runs, the gate, ranks, many runs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from selfcell.figures import training
from tests.figures.made import histories


def test_histories_are_named_by_their_path(tmp_path: Path) -> None:
    path = tmp_path / "kang_ctrl" / "byol" / "s2" / "history.parquet"
    path.parent.mkdir(parents=True)
    step = np.arange(1.0, 501.0)
    pd.DataFrame({"step": step, "loss": -step, "lr": 0.1}).to_parquet(path)
    frame = training.table([path])
    assert set(frame.measure) == {"loss"} and len(frame) == training.POINTS
    assert (frame.corpus[0], frame.method[0], frame.seed[0]) == ("kang_ctrl", "byol", 2)
    assert frame.value.iloc[-1] == -500
    training.draw(frame)


def test_training_shows_the_gate_and_the_last_effective_ranks() -> None:
    frame = training.summary(histories(("byol", "random_mask")))
    assert set(frame.measure) == {"loss", "skill", "retrieval", "gate", "rank", "spread"}
    figure = training.draw(frame)
    panels = {axes.get_title(loc="left").strip(): axes for axes in figure.axes}
    mae, byol = (figure.axes[index] for index in (0, 1))
    assert "masked autoencoder" in panels
    assert [text.get_text() for text in mae.texts if "rank" in text.get_text()] == [
        "rank 11–12"
    ] * 2
    assert [text.get_text() for text in byol.texts if "rank" in text.get_text()] == [
        "rank 10–11"
    ] * 2
    gates = [sum(line.get_linestyle() == "--" for line in axes.lines) for axes in figure.axes[2:4]]
    assert gates == [1, 0]


def test_the_training_table_of_many_long_runs_stays_small() -> None:
    step = np.arange(1.0, 101.0)
    long = pd.DataFrame({"step": step, **dict.fromkeys(("loss", *training.DIAGNOSTICS), step)})
    frame = training.summary({("c", f"m{number}", 0): long for number in range(300)})
    assert len(frame) <= training.ROWS
    assert frame.groupby(["method", "measure"]).step.max().eq(100).all()


def test_more_methods_than_a_page_has_room_for_are_counted() -> None:
    methods = [f"method_{number:02d}" for number in range(training.MOST + 11)]
    rows = [
        {"corpus": "c", "method": name, "seed": 0, "measure": "loss", "step": step, "value": 1.0}
        for name in methods for step in (1, 2, 3)
    ]  # fmt: skip
    figure = training.draw(pd.DataFrame(rows))
    titles = [axes.get_title(loc="left") for axes in figure.axes if axes.get_visible()]
    assert len([title for title in titles if title]) == training.MOST
    assert figure.legends[0].get_title().get_text() == "11 more methods in the table"
