"""What the measurements are held to, beside what was measured: a table for docs/performance.md.

python benchmarks/goals.py benchmarks/measured
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

RATES = ("cells_per_s", "cells_per_cpu_s")
KINDS = ("by the clock", "by processor time")
Row = tuple[str, str, float, float, float]  # goal, unit, needed, by the clock, by processor time

LOADING = (  # our rate over a peer's
    ("dense", "annbatch", 5.0),
    ("dense", "scvi-tools", 2.5),
    ("dense", "MappedCollection", 50.0),
    ("dense", "dense parquet", 50.0),
    ("sparse", "annbatch", 3.0),
    ("sparse", "scDataset", 10.0),
    ("sparse", "SCDL", 10.0),
    ("sparse", "tiledbsoma-ml", 50.0),
)
RELEASED = {2048: 4.0, 8192: 5.0}  # of the released step, by batch
BOUND = {4096: 0.55, 8192: 0.6}  # of writing zeros, by batch


def lines(folder: Path, name: str) -> list[dict[str, Any]]:
    """The lines of a file of measurements."""
    text = (folder / f"{name}.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def ratios(ours: dict[str, Any], theirs: dict[str, Any]) -> tuple[float, float]:
    """Our rate over theirs: by the clock, by processor time."""
    return tuple(ours[rate] / theirs[rate] for rate in RATES)  # type: ignore[return-value]


def loading(folder: Path) -> Iterator[Row]:
    """Of reading batches and of writing what is read."""
    found = lines(folder, "loader")
    ours, ratio = {}, {}
    for line in found:
        case = line["out"], line.get("batch")
        if line["out"] == "prepare" or line["cold"]:
            continue
        if line["system"] == "selfcell":
            ours[case] = line  # peers stand below the line of ours that ran in turn with them
        ratio[line["system"], *case] = ratios(ours[case], line)
    for out, peer, needed in LOADING:
        yield f"{out} batches, over {peer}", "x", needed, *ratio[peer, out, 4096]
    for batch, needed in BOUND.items():
        bounded = [
            line["cells_per_s"] / line["bound_cells_per_s"]
            for line in found
            if line["system"] == "selfcell" and line.get("batch") == batch and not line["cold"]
            if line["out"] == "dense"
        ]
        share = sum(bounded) / len(bounded)
        yield f"dense batches of {batch:,}, of the bound of writing", "", needed, share, math.nan
    written = {line["system"]: line for line in found if line["out"] == "prepare"}
    mine, theirs = written["selfcell"], written["annbatch"]
    times = (theirs[time] / mine[time] for time in ("prepare_s", "prepare_cpu_s"))
    yield "writing with a shuffle, over annbatch", "x", 3.0, *times
    memory = theirs["prepare_peak_mb"] / mine["prepare_peak_mb"]
    yield "... times less memory", "x", 4.0, memory, memory


def training(folder: Path) -> Iterator[Row]:
    """Of a step: the masked autoencoder's, and of all others that which gains least."""
    ours = [line for line in lines(folder, "train") if line["system"] == "selfcell"]
    masked = {
        (line["batch"], line["precision"]): line for line in ours if line["method"] == "random_mask"
    }

    def both(line: dict[str, Any], key: str) -> tuple[float, float]:
        return line[key], line[f"cpu_{key}"]

    for batch, needed in RELEASED.items():
        line, goal = masked[batch, "bfloat16"], f"`random_mask`, {batch:,} cells a step, over the"
        yield f"{goal} released step", "x", needed, *both(line, "times_released-step")
        yield f"{goal} same in bfloat16 autocast", "x", 2.0, *both(line, "times_torch-autocast")
        share = "share_of_gemm_bound"
        yield f"{goal} bound of products", "", 0.5, *both(line, share)
    line = masked[2048, "float32"]
    goal = "`random_mask`, 2,048 cells a step, float32, over plain torch"
    yield goal, "x", 1.5, *both(line, "times_torch")
    for precision, plain in (("float32", "torch"), ("bfloat16", "torch-autocast")):
        key = f"times_{plain}"
        others = [
            line
            for line in ours
            if line["precision"] == precision and line["method"] != "random_mask"
        ]
        line = min(others, key=lambda line: line[f"cpu_{key}"])
        name = f"least of {len(others)} other methods, `{line['method']}`, {precision}"
        yield f"{name}, over plain torch", "x", 1.5, *both(line, key)


def rest(folder: Path) -> Iterator[Row]:
    """Of quality control and of neighbours."""
    runs = {line["system"]: line for line in lines(folder, "preprocess")}
    ours, theirs = runs["selfcell"], runs["scanpy"]
    yield "quality control and variable genes, over scanpy", "x", 8.0, *ratios(ours, theirs)
    memory = theirs["peak_mb"] / ours["peak_mb"]
    yield "... times less memory", "x", 10.0, memory, memory
    runs = {line["system"]: line for line in lines(folder, "neighbours")}
    ours, theirs = runs["selfcell"], runs["scikit-learn"]
    times = (theirs[time] / ours[time] for time in ("wall_s", "cpu_s"))
    yield "neighbours, over scikit-learn", "x", 1.5, *times


def table(folder: Path) -> str:
    """The goals as Markdown."""
    rows = [
        "| Goal | Needed | By the clock | By processor time | Reached |",
        "| --- | ---: | ---: | ---: | --- |",
    ]
    for goal, unit, needed, clock, processor in (
        *loading(folder),
        *training(folder),
        *rest(folder),
    ):
        form = ".1f" if unit else ".2f"
        known = [value for value in (clock, processor) if value == value]
        said = [
            f"{value:{form}} {unit}".strip() if value == value else ""
            for value in (clock, processor)
        ]
        met = [
            name for name, value in zip(KINDS, (clock, processor), strict=True) if value >= needed
        ]
        verdict = "yes" if len(met) == len(known) else met[0] if met else "**no**"
        rows.append(
            f"| {goal} | {needed:g} {unit} | {said[0]} | {said[1]} | {verdict} |".replace("  ", " ")
        )
    return "\n".join(rows)


def main() -> None:
    """Read the command line and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("folder", type=Path, help="benchmarks/measured, or another run's files")
    print(table(parser.parse_args().folder))


if __name__ == "__main__":
    main()
