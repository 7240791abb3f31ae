"""Memory while a store is written and loaded: does it grow with the number of cells?

Made-up cells with few values each, so that what is kept of a cell shows beside what is read of it,
are written as a store in a stream, shuffled, and then loaded in dense batches of 4,096 for an epoch
and a tenth. Every number is taken in a process of its own. One JSON line per number of cells and
order (`any`, or `blocks` of 256): `grown_mb` is the most anonymous memory while loading, over that
after imports and a warm-up on a small store; `buffers_mb` are its two output arrays;
`written_mb` is the peak of the writing process over that after imports.

    python benchmarks/memory.py --out memory.jsonl
    python benchmarks/memory.py --table memory.jsonl
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
BATCH, MOLECULES, SMALL = 4096, 60, 8192


def memory(name: str) -> float:
    """MB of this process: RssAnon now, VmRSS now, VmHWM at its peak."""
    with open("/proc/self/status", encoding="utf-8") as file:
        return next(int(line.split()[1]) / 1024 for line in file if line.startswith(name))


def write(folder: Path, cells: int) -> dict[str, float]:
    """Write the store; MB at the peak over those after a small one was written."""
    import synthetic

    from selfcell.data.writer import write_blocks

    genes = synthetic.vocabulary()
    small = synthetic.blocks(SMALL, molecules=MOLECULES)
    write_blocks(small, genes, folder / "small", shuffle=0, expected=SMALL)
    before = memory("VmRSS")
    many = synthetic.blocks(cells, molecules=MOLECULES)
    write_blocks(many, genes, folder / "store", shuffle=0, expected=cells)
    return {"written_mb": round(memory("VmHWM") - before)}


def load(folder: Path, block: int) -> dict[str, float]:
    """Load an epoch and a tenth; MB of anonymous memory over those after a small store."""
    import numpy as np

    from selfcell.data.cells import StoreCells
    from selfcell.data.loader import Loader
    from selfcell.data.store import Store

    def run(path: Path, epochs: float) -> float:
        store = Store.open(path, verify=False)
        rows = np.arange(store.n_cells)
        loader = Loader(StoreCells.of([(store, rows)]), rows, BATCH, 0, block=block, threads=2)
        steps = int(epochs * store.n_cells / BATCH)
        return max(memory("RssAnon") for _ in loader.dense_stream(0, steps))

    run(folder / "small", 2)
    before = memory("RssAnon")
    genes = len(Store.open(folder / "small", verify=False).gene_ids)
    grown = run(folder / "store", 1.1) - before
    return {"grown_mb": round(grown), "buffers_mb": round(2 * BATCH * genes * 4 / 2**20)}


def child(*words: object) -> dict[str, float]:
    """What a step measures in a process of its own."""
    command = [sys.executable, __file__, *map(str, words)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def table(file: Path) -> str:
    """The lines as a Markdown table."""
    rows = [
        "| Cells | Order | Grown while loading, MB | of it output, MB | Grown while writing, MB |",
        "| ---: | --- | ---: | ---: | ---: |",
    ]
    for line in map(json.loads, file.read_text(encoding="utf-8").splitlines()):
        numbers = (line["grown_mb"], line["buffers_mb"], line["written_mb"])
        each = " | ".join(f"{number:,.0f}" for number in numbers)
        rows.append(f"| {line['cells']:,} | {line['order']} | {each} |")
    return "\n".join(rows)


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    several = [200_000, 2_000_000]
    parser.add_argument("--cells", type=int, nargs="+", default=several, help="made-up cells")
    parser.add_argument("--out", type=Path, help="JSON lines are appended to this file")
    parser.add_argument("--table", type=Path, help="print this file as a table, and stop")
    parser.add_argument("--write", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--load", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--block", type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    sys.path[:0] = [str(HERE.parent / "src"), str(HERE)]
    if args.table:
        print(table(args.table))
    elif args.write:
        print(json.dumps(write(args.write, args.cells[0])))
    elif args.load:
        print(json.dumps(load(args.load, args.block)))
    else:
        for cells in args.cells:
            with tempfile.TemporaryDirectory(dir=".") as folder:
                written = child("--write", folder, "--cells", cells)
                for order, block in {"any": 1, "blocks": 256}.items():
                    fixed = {"system": "selfcell", "order": order, "cells": cells, **written}
                    text = json.dumps(fixed | child("--load", folder, "--block", block))
                    print(text, flush=True)
                    if args.out:
                        with args.out.open("a", encoding="utf-8") as stream:
                            stream.write(text + "\n")


if __name__ == "__main__":
    main()
