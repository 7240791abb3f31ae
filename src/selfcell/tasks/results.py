"""What a finished run leaves in its folder: scores, predictions and the provenance card."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from selfcell import job
from selfcell.stats import table
from selfcell.stats.predictions import PREDICTIONS


def write_run(
    folder: Path,
    frames: Sequence[tuple[pd.DataFrame, pd.DataFrame]],
    card: Mapping[str, object],
    genes: Sequence[pd.DataFrame] | None = None,
) -> None:
    """Write scores.parquet, predictions.parquet and card.json into `folder`, all or nothing.

    Args:
        frames: score rows and prediction rows, as `tasks.score.Scores.frames` gives them; checked
            against the table's contract before anything is written.
        card: of `provenance.card`.
        genes: rows by gene for genes.parquet (`tasks.reconstruct.Rows`); None: no such file.

    Raises:
        DataError: a row breaks the contract of the score table.
    """
    scores = pd.concat([part for part, _ in frames], ignore_index=True)
    # Where nothing was predicted (every run diverged or collapsed) the table is empty.
    guessed = [part for _, part in frames if len(part)] or [frames[0][1]]
    predictions = pd.concat(guessed, ignore_index=True)
    with job.atomic(folder) as temporary:
        temporary.mkdir()
        table.write(scores, temporary / "scores.parquet")
        PREDICTIONS.write(predictions, temporary / "predictions.parquet")
        if genes is not None:
            kept = [part for part in genes if len(part)] or genes[:1]
            whole = pd.concat(kept, ignore_index=True)
            whole.to_parquet(temporary / "genes.parquet", index=False, compression="zstd")
        job.write_json(card, temporary / "card.json")
