"""Training steps per method and precision: ours, plain torch, and the released design.

Ours runs in one process, the others in another, since each sets its memory up in its own way. For
each method both take turns, `repeats` times, with a square matrix product in between, so that a
busy machine is busy for all of them. One JSON line per system, method and precision goes to
`--out`; numbers are medians over the repeats, ratios medians of each repeat's ratio.

    python benchmarks/train.py --batch 2048 --out train.jsonl
    python benchmarks/train.py --batch 8192 --out train.jsonl --methods random_mask
    python benchmarks/train.py --batch 8192 --out train.jsonl --device cuda --steps 50
"""

from __future__ import annotations

import argparse
import json
import multiprocessing as mp
import os
import statistics
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "src")]

from train_steps import EXPECTED, LOADED, PRODUCT, Job, serve  # noqa: E402

PRECISIONS = ("float32", "bfloat16")


def compare(args: argparse.Namespace) -> list[dict[str, Any]]:
    """All methods, each system in turn; rows as written to `--out`."""
    ways, processes = {}, []
    for kind in ("ours", "theirs", "gemm"):
        ways[kind], far = mp.Pipe()
        small = argparse.Namespace(**{**vars(args), "batch": 1}) if kind == "gemm" else args
        processes.append(mp.Process(target=serve, args=(small, far), daemon=True))
        processes[-1].start()
    rows = []
    with args.out.open("a", encoding="utf-8") as file:
        for method in args.methods:
            for precision in args.precisions:
                for row in group(args, ways, method, precision):
                    rows.append(row)
                    file.write(json.dumps(row) + "\n")
                    file.flush()
                    print(line(row), flush=True)
    for pipe in ways.values():
        pipe.send(None)
    for process in processes:
        process.join()
    return rows


def group(args: argparse.Namespace, ways, method: str, precision: str):  # type: ignore[no-untyped-def]
    """Rows of one method and precision."""
    plain = "torch" if precision == "float32" else "torch-autocast"
    systems = [("theirs", plain), ("ours", "selfcell")]
    if args.loader:
        systems.append(("ours", LOADED))
    if args.expected and method == "random_mask":
        systems.append(("ours", EXPECTED))
    if method == "random_mask":  # float32 only: beside both precisions of ours
        systems.insert(0, ("theirs", "released-step"))
    runs: dict[str, list[dict[str, float]]] = {name: [] for _, name in systems}
    bound: list[dict[str, float]] = []
    flops = {}
    for _ in range(args.repeats):
        ways["gemm"].send(Job("gemm", "", precision, args.steps))
        bound.append(ways["gemm"].recv())
        for where, name in systems:
            ways[where].send(Job(name, method, precision, args.steps))
            runs[name].append(ways[where].recv())
            flops[name] = runs[name][-1]["flops"]
    middle = statistics.median
    rate = middle(most["cells_per_s"] for most in bound) * PRODUCT / 1e9
    for name, mine in runs.items():
        row = {"system": name, "method": method, "batch": args.batch, "precision": precision}
        row["beside"] = precision
        if name == "released-step":
            row["precision"] = "float32"
        for key in ("cells_per_s", "cells_per_cpu_s"):
            row[key] = middle(run[key] for run in mine)
        for kind, key in (("", "cells_per_s"), ("cpu_", "cells_per_cpu_s")):
            turns = zip(mine, bound, strict=True)
            shares = (flops[plain] * run[key] / (PRODUCT * most[key]) for run, most in turns)
            row[f"{kind}share_of_gemm_bound"] = middle(shares)
        row["loss"] = mine[-1]["loss"]
        if name == LOADED:  # share of the time that a batch takes which is not there yet
            pairs = zip(mine, runs["selfcell"], strict=True)
            stall = (1 - one["cells_per_s"] / two["cells_per_s"] for one, two in pairs)
            row["loader_stall"] = middle(stall)
        for other in runs.keys() - {name}:
            for kind, key in (("times", "cells_per_s"), ("cpu_times", "cells_per_cpu_s")):
                pairs = zip(mine, runs[other], strict=True)
                row[f"{kind}_{other}"] = middle(one[key] / two[key] for one, two in pairs)
        row |= {"mflop_per_cell": flops[plain] / 1e6, "gemm_gflop_per_s": rate}
        names = ("genes", "threads", "device", "steps", "repeats")
        yield row | {key: getattr(args, key) for key in names} | {"load": os.getloadavg()[0]}


COLUMNS = (
    *("Method", "Cells a step", "System", "Precision", "Cells/s", "Cells/CPU s"),
    *("Of GEMM bound", "Loss", "Times plain torch", "Times released step"),
)
LEFT = ("Method", "System", "Precision")
HEAD = "\n".join(
    f"| {' | '.join(cells)} |"
    for cells in (COLUMNS, ["---" if name in LEFT else "---:" for name in COLUMNS])
)


def line(row: dict[str, Any]) -> str:
    """One row of the printed table; ratios by the clock / by processor time."""

    def times(*names: str) -> str:
        found = [f"times_{name}" for name in names if f"times_{name}" in row]
        both = (f"{row[key]:.1f} / {row['cpu_' + key]:.1f}" for key in found)
        return next(both, "") if row["system"] == "selfcell" else ""

    system = row["system"]
    if "loader_stall" in row:
        system += f" (stall {row['loader_stall']:.1%})"
    return (
        f"| `{row['method']}` | {row['batch']:,} | {system} | {row['precision']} | "
        f"{row['cells_per_s']:,.0f} | {row['cells_per_cpu_s']:,.0f} | "
        f"{row['share_of_gemm_bound']:.2f} / {row['cpu_share_of_gemm_bound']:.2f} | "
        f"{row['loss']:.4f} | {times('torch', 'torch-autocast')} | {times('released-step')} |"
    )


def table(file: Path) -> str:
    """The lines of a file as they were printed."""
    rows = map(json.loads, file.read_text(encoding="utf-8").splitlines())
    return "\n".join([HEAD, *map(line, rows)])


def main() -> None:
    """Read the command line and run."""
    from selfcell.methods import METHODS

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--batch", type=int, default=2048, help="cells of a step")
    parser.add_argument("--out", type=Path, help="file that lines are added to")
    parser.add_argument("--table", type=Path, help="print this file as a table, and stop")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=list(METHODS))
    parser.add_argument("--precisions", nargs="+", default=list(PRECISIONS), choices=PRECISIONS)
    parser.add_argument("--genes", type=int, default=19331, help="inputs")
    parser.add_argument(
        "--loader", action="store_true", help="also train on loaded batches: the loader's stall"
    )
    parser.add_argument(
        "--expected", action="store_true", help="also random_mask with loss: expected_mse"
    )
    parser.add_argument("--steps", type=int, default=2, help="steps of a timing")
    parser.add_argument("--repeats", type=int, default=3, help="timings of each system, in turn")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1, help="CPU threads")
    args = parser.parse_args()
    if args.table:
        print(table(args.table))
        return
    if not args.out:
        parser.error("--out FILE is needed, or --table FILE")
    args.loader |= args.device == "cuda"
    mp.set_start_method("spawn")
    print(HEAD)
    compare(args)


if __name__ == "__main__":
    main()
