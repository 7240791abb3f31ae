"""Loaders side by side: cells per second from disk (or memory) to the network's input.

Every system runs in a process and an environment of its own, in turn, `--repeats` times; a line
is the run of most cells per second of processor time, since what else a machine does can only slow
it. All read the same made-up cells (`synthetic.py`) in shuffled batches.

    python benchmarks/loader.py --make-environments bench-envs
    python benchmarks/loader.py --cells 200000 --environments bench-envs --out loader.jsonl
    python benchmarks/loader.py --table loader.jsonl

A line has system, out (dense, sparse or prepare), cold, cells_per_s, cells_per_cpu_s, entropy (bits
of a batch's labels) and ideal_entropy (of batches drawn at random), peak_mb (resident),
anonymous_mb, grown_mb (anonymous, after warm-up), load (of the machine, at the start), and for our
dense output bound_cells_per_s: what plain writing of zeros reaches in the same process. `cold`
lines read one epoch; its files are dropped from the page cache after the first batch. A system
whose environment is missing is left out with a message.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from loader_peers import PEERS, nothing, some_of

HERE = Path(__file__).resolve().parent
CONSTRAINTS = HERE.parent / "envs" / "constraints.txt"
ENVIRONMENTS: dict[str, tuple[str, list[str]]] = {
    # annbatch has no version for Python 3.11; zarrs is the codec its documentation asks for
    "annbatch": ("python3.12", ["annbatch[zarrs]==0.3.1"]),
    "lamindb": ("python3.11", ["lamindb==2.12.1"]),  # wants other versions than the constraints
    "peers": (
        "python3.11",
        [
            "torch==2.13.0", "scvi-tools==1.4.2", "scdataset==0.3.0", "bionemo-scdl==0.1.3",
            "tiledbsoma-ml==0.1.0",
        ],
    ),
}  # fmt: skip
LIVES_IN = {  # others: peers
    "annbatch": "annbatch", "MappedCollection": "lamindb", "selfcell": "", "selfcell blocks": "",
    "selfcell packed": "",
}  # fmt: skip
AS_IT_IS = {
    "selfcell blocks",
    *(name for name, (prepare, _) in PEERS.items() if prepare is nothing),
}
RUNS = [  # system, outputs, also with cold files
    ("selfcell", ("dense", "sparse"), False),
    ("selfcell blocks", ("dense", "sparse"), True),
    ("selfcell packed", ("dense", "sparse"), True),
    ("annbatch", ("dense", "sparse"), True),
    ("scvi-tools", ("dense", "sparse"), False),
    ("scDataset", ("dense", "sparse"), True),
    ("SCDL", ("dense", "sparse"), False),
    ("tiledbsoma-ml", ("dense", "sparse"), False),
    ("MappedCollection", ("dense",), False),
    ("dense parquet", ("dense",), False),
]


def make_environments(folder: Path) -> None:
    """A virtual environment for each group of peers whose interpreter is there."""
    for name, (python, packages) in ENVIRONMENTS.items():
        if not works(python):
            print(f"{name}: left out, no {python} that runs is on the PATH", file=sys.stderr)
            continue
        subprocess.run([python, "-m", "venv", folder / name], check=True)
        pins = ["-c", str(CONSTRAINTS)] if name == "peers" else []
        pip = [folder / name / "bin" / "pip", "install", "--quiet"]
        # torch by itself first: an index of builds for processors has torch and little else
        alone = [package for package in packages if package.startswith("torch==")]
        for some in filter(None, (alone, [each for each in packages if each not in alone])):
            subprocess.run([*pip, *pins, *some], check=True)


def works(python: str) -> bool:
    """Whether an interpreter runs; version managers put names on the PATH that do not."""
    found = shutil.which(python)
    if not found:
        return False
    return not subprocess.run([found, "-c", ""], capture_output=True, check=False).returncode


def interpreter(system: str, folder: Path | None) -> Path | None:
    """Python of a system's environment; None, and a message, where it is missing."""
    home = LIVES_IN.get(system, "peers")
    python = Path(sys.executable) if not home else (folder or Path()) / home / "bin" / "python"
    if python.exists():
        return python
    print(f"{system}: skipped, no environment {python} (--make-environments)", file=sys.stderr)
    return None


def run(python: Path, system: str, step: str, args: argparse.Namespace, cold: bool = False) -> Any:
    """One step of a system in a process of its own."""
    command = [
        python, HERE / "loader_systems.py", system, "--step", step,
        "--data", args.work / "cells.h5ad", "--work", args.work,
        "--batch", str(args.batch), "--seconds", str(args.seconds),
        *(["--cold"] if cold else []),
    ]  # fmt: skip
    load = os.getloadavg()[0]
    # Threads that wait spin by default: on a machine with other work they eat the time of all.
    calm = {**os.environ, "OMP_WAIT_POLICY": "PASSIVE"}
    words = list(map(str, command))
    done = subprocess.run(words, capture_output=True, text=True, check=False, env=calm)
    if done.returncode:
        sys.exit(f"{system} {step} failed:\n{done.stderr[-3000:]}")
    return {**json.loads(done.stdout.splitlines()[-1]), "load": round(load, 1)}


def prepare(args: argparse.Namespace) -> None:
    """The made-up cells, as an h5ad file, and their labels."""
    sys.path[:0] = [str(HERE.parent / "src")]
    import anndata
    import numpy as np
    import synthetic

    if not (args.work / "cells.h5ad").exists():
        synthetic.write_h5ad(args.work / "cells.h5ad", args.cells)
    obs = anndata.read_h5ad(args.work / "cells.h5ad", backed="r").obs
    np.save(args.work / "labels.npy", obs["label"].astype("category").cat.codes.to_numpy())


def compare(args: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Convert for each system, then measure all in turn; one line each."""
    prepare(args)
    found = {name: interpreter(name, args.environments) for name in args.systems}
    there = {name: python for name, python in found.items() if python}
    for name, python in there.items() if "prepare" in args.steps else ():
        if name in AS_IT_IS:
            continue
        before = size(args.work)
        cells = some_of(name, args.cells)
        line = {"system": name, "out": "prepare", "cells": cells}
        line |= run(python, name, "prepare", args)
        yield line | {"bytes_per_cell": round((size(args.work) - before) / cells)}
    for cold in (step == "cold" for step in args.steps if step != "prepare"):
        cases = [
            (name, out)
            for name, outs, coldly in RUNS
            for out in outs
            if name in there and (coldly or not cold)
        ]
        runs: dict[tuple[str, str], list[dict[str, float]]] = {case: [] for case in cases}
        for _ in range(args.repeats):
            for name, out in cases:
                runs[name, out].append(run(there[name], name, out, args, cold))
        for (name, out), results in runs.items():
            best = max(results, key=lambda run: run["cells_per_cpu_s"])
            fixed = {"system": name, "out": out, "cold": cold, "cells": args.cells}
            yield {**fixed, "batch": args.batch, "repeats": args.repeats, **best}


def size(folder: Path) -> int:
    """Bytes of all files in a folder."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def table(file: Path) -> str:
    """The lines as Markdown tables, with how many times faster we were: in cells per second, and
    in cells per second of processor time; loading, then converting."""
    lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    return (
        loading([line for line in lines if line["out"] != "prepare"])
        + "\n\n"
        + converting([line for line in lines if line["out"] == "prepare"])
    )


def loading(lines: list[dict[str, Any]]) -> str:
    """The table of what reads batches."""
    ours: dict[tuple[Any, ...], dict[str, Any]] = {}
    rows = [
        "| System | Batch | Out | Cells/s | Per CPU s | We are | Entropy, ideal | Peak MB | Load |",
        "| --- | ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for line in lines:
        kind, rates = (line["out"], line["cold"], line["batch"]), ("cells_per_s", "cells_per_cpu_s")
        if line["system"] == ("selfcell blocks" if line["cold"] else "selfcell"):
            ours[kind] = line  # peers stand below the line of ours that ran in turn with them
        base = ours.get(kind)
        times = " / ".join(f"{base[rate] / line[rate]:.1f}" for rate in rates) if base else ""
        rows.append(
            f"| {line['system']} | {line['batch']:,} |"
            f" {line['out']}{', cold' if line['cold'] else ''} |"
            f" {line['cells_per_s']:,.0f} | {line['cells_per_cpu_s']:,.0f} | {times} x |"
            f" {line['entropy']:.3f}, {line['ideal_entropy']:.3f} | {line['peak_mb']:,.0f} |"
            f" {line['load']:.0f} |"
        )
    return "\n".join(rows)


def converting(lines: list[dict[str, Any]]) -> str:
    """The table of what writes the systems' own formats."""
    rows = [
        "| System | Cells | Cells/s | Per CPU s | We are | Peak MB | Bytes a cell | Load |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    base: dict[str, Any] = {}
    for line in lines:
        rates = [line["cells"] / line[time] for time in ("prepare_s", "prepare_cpu_s")]
        if line["system"] == "selfcell":
            base = {"rates": rates}
        times = " / ".join(f"{a / b:.1f}" for a, b in zip(base["rates"], rates, strict=True))
        rows.append(
            f"| {line['system']} | {line['cells']:,} | {rates[0]:,.0f} | {rates[1]:,.0f} |"
            f" {times} x | {line['prepare_peak_mb']:,.0f} | {line['bytes_per_cell']:,} |"
            f" {line['load']:.0f} |"
        )
    return "\n".join(rows)


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--cells", type=int, default=200_000, help="made-up cells")
    parser.add_argument("--out", type=Path, help="JSON lines are appended to this file")
    parser.add_argument("--batch", type=int, default=4096, help="cells of a batch")
    parser.add_argument("--repeats", type=int, default=3, help="runs of each system")
    parser.add_argument("--seconds", type=float, default=5.0, help="of a run, at least")
    parser.add_argument("--environments", type=Path, help="folder of --make-environments")
    parser.add_argument("--make-environments", type=Path, help="make them in this folder, and stop")
    parser.add_argument("--table", type=Path, help="print this file as a table, and stop")
    parser.add_argument("--work", type=Path, help="keep the data here (12 KB a cell and more)")
    steps = ["prepare", "warm", "cold"]
    parser.add_argument("--steps", nargs="+", choices=steps, default=steps, help="cut a long run")
    names = [name for name, _, _ in RUNS]
    parser.add_argument("--systems", nargs="+", choices=names, default=names)
    args = parser.parse_args()
    if args.make_environments:
        return make_environments(args.make_environments)
    if args.table:
        return print(table(args.table))
    kept = args.work
    args.work = kept or Path(tempfile.mkdtemp(prefix="loader-", dir="."))
    args.work.mkdir(parents=True, exist_ok=True)
    try:
        for line in compare(args):
            text = json.dumps(line)
            print(text, flush=True)
            if args.out:
                with args.out.open("a") as stream:
                    stream.write(text + "\n")
    finally:
        if not kept:
            shutil.rmtree(args.work)
    return None


if __name__ == "__main__":
    main()
