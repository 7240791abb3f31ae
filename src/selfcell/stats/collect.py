"""Gather the folders of a study's runs into its tables."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from selfcell.errors import DataError
from selfcell.stats import table
from selfcell.stats.predictions import COSTS, PREDICTIONS


def read_folders(path: Path | str) -> list[Path]:
    """Run folders from a file with one path a line. Raises DataError if one does not exist."""
    folders = [Path(line) for line in Path(path).read_text().splitlines() if line.strip()]
    missing = [folder for folder in folders if not folder.is_dir()]
    if missing or not folders:
        got = f"run folder {missing[0]} does not exist" if missing else f"{path} names no folder"
        raise DataError(got, "one run folder a line")
    return folders


def scores(folders: Sequence[Path]) -> pd.DataFrame:
    """All score files of the folders as one valid table."""
    return table.concat(_files(folders, "scores.parquet"))


def predictions(folders: Sequence[Path]) -> pd.DataFrame:
    """All prediction files of the folders as one table."""
    return PREDICTIONS.concat(_files(folders, "predictions.parquet"))


def cards(folders: Sequence[Path]) -> list[dict[str, Any]]:
    """The provenance card of each folder. Raises DataError for a folder without one."""
    found = []
    for folder in folders:
        path = folder / "card.json"
        if not path.is_file():
            raise DataError(f"{folder} holds no card.json", "a finished run", "run it again")
        found.append(json.loads(path.read_text()))
    return found


def costs(found: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """What each run cost: one row a card, seconds and MiB."""
    frame = pd.DataFrame([_cost(card) for card in found], columns=COSTS.names)
    COSTS.check(frame)
    return frame


def _cost(card: Mapping[str, Any]) -> dict[str, object]:
    spec = card["spec"]
    corpus = spec.get("corpus", "none")
    return {
        "study": spec["study"],
        "rule": card["rule"],
        "corpus": corpus["name"] if isinstance(corpus, Mapping) else corpus,
        "target": spec.get("target", "none"),
        "method": spec.get("method", "none"),
        "seed": int(spec.get("seed", 0)),
        "run_hash": card["run_hash"],
        **{name: float(card["cost"][name]) for name in ("wall_s", "cpu_s", "gpu_s", "peak_mb")},
    }


def provenance(found: Sequence[Mapping[str, Any]]) -> dict[str, object]:
    """What the study's runs have in common, and each run's hashes.

    Keys: `versions`, `hardware`, `git`, `code` (each a sorted list of the distinct ones) and
    `runs` (run_hash to rule, config_hash, inputs and seeds).
    """
    shared = {
        key: [
            json.loads(text) for text in sorted({json.dumps(c[key], sort_keys=True) for c in found})
        ]
        for key in ("versions", "hardware", "git", "code")
    }
    runs = {
        card["run_hash"]: {key: card[key] for key in ("rule", "config_hash", "inputs", "seeds")}
        for card in found
    }
    return {**shared, "runs": runs}


def _files(folders: Sequence[Path], name: str) -> list[Path]:
    from tqdm import tqdm

    files = [folder / name for folder in tqdm(folders, desc=name, unit="run", mininterval=1)]
    for file in files:
        if not file.is_file():
            again = f"snakemake --cores all -- {file}, then the same command again"
            raise DataError(f"there is no {file}", "both tables of a finished run", again)
    return files
