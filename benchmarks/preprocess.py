"""Quality control and variable genes of a large h5ad: this project beside scanpy, in the same run.

Every system runs in a process of its own, in turn, on the same file: made-up cells with 19,331
genes, 1,484 of them seen in a cell, 71 % of the counts being 1. One JSON line per system: `wall_s`
from opening the file to the genes, imports apart; `peak_mb` the whole process's; `same` the share
of the chosen genes that are scanpy's. Warm: the file is read once before it is timed.

    python benchmarks/preprocess.py --cells 200000 --out preprocess.jsonl
    python benchmarks/preprocess.py --table preprocess.jsonl
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

SRC = Path(__file__).resolve().parents[1] / "src"
GENES, SEEN, CHOSEN = 19_331, 1_484, 2_000
MIN_GENES, MAX_MITO = 200, 0.2
BLOCK = 2_000


def make(path: Path, n_cells: int) -> None:
    """Write the cells, block by block, without packing; the last 13 genes are mitochondrial."""
    sys.path.insert(0, str(SRC))
    import h5py
    import numpy as np
    import pandas as pd
    from anndata.io import write_elem

    from selfcell.keys import generator

    rng = generator("preprocess", n_cells)
    share = rng.lognormal(0.0, 1.6, GENES)
    kinds = np.stack([share * rng.lognormal(0.0, 0.8, GENES) for _ in range(60)])
    steps = (np.cumsum(kinds, axis=1).T / kinds.sum(axis=1)).T
    most = int(n_cells * SEEN * 1.2)
    with h5py.File(path, "w") as file:
        data = file.create_dataset(
            "X/data", (most,), np.float32, maxshape=(None,), chunks=(1 << 18,)
        )
        index = file.create_dataset(
            "X/indices", (most,), np.int32, maxshape=(None,), chunks=(1 << 18,)
        )
        ends = [0]
        for start in range(0, n_cells, BLOCK):
            size = min(BLOCK, n_cells - start)
            wanted = rng.gamma(8.0, SEEN * 1.61 / 8.0, size).astype(int).clip(300, 9_000)
            parts = []
            for cell in range(size):
                draws = np.searchsorted(
                    steps[(start + cell) * 60 // n_cells], rng.random(wanted[cell])
                )
                parts.append(np.unique(draws, return_counts=True))
            first = ends[-1]
            ends += (first + np.cumsum([len(genes) for genes, _ in parts])).tolist()
            index[first : ends[-1]] = np.concatenate([genes for genes, _ in parts])
            data[first : ends[-1]] = np.concatenate([counts for _, counts in parts])
        data.resize((ends[-1],))
        index.resize((ends[-1],))
        file["X/indptr"] = np.array(ends, dtype=np.int32 if ends[-1] < 2**31 else np.int64)
        marks = {"encoding-type": "csr_matrix", "encoding-version": "0.1.0"}
        file["X"].attrs.update(marks, shape=(n_cells, GENES))
        file.attrs.update({"encoding-type": "anndata", "encoding-version": "0.1.0"})
        names = [f"G{i}" for i in range(GENES - 13)] + [f"MT-{i}" for i in range(13)]
        write_elem(file, "obs", pd.DataFrame(index=[f"c{i}" for i in range(n_cells)]))
        write_elem(file, "var", pd.DataFrame(index=names))
        for name in ("layers", "obsm", "varm", "obsp", "varp", "uns"):
            write_elem(file, name, {})


def selfcell_genes(path: Path) -> list[str]:
    """This project: the pass of its rule `qc`, and its choice of genes."""
    import numpy as np

    from selfcell.data import own, qc
    from selfcell.data.moments import most_variable

    limits = qc.Limits(min_genes=MIN_GENES, max_mito=MAX_MITO)
    with own.raw_counts(path, own.spec_of("cells")) as matrix:
        names = np.array(matrix.names.var_names, dtype=str)
        frame = qc.columns(matrix.names, matrix.spec, {})
        moments, _ = qc.sweep(matrix, frame, np.char.startswith(names, "MT-"), limits)
    return most_variable(moments, names, CHOSEN)


def scanpy_genes(path: Path) -> list[str]:
    """scanpy, in memory."""
    import anndata

    return by_scanpy(anndata.read_h5ad(path))


def dask_genes(path: Path) -> list[str]:
    """scanpy on chunks that dask reads when they are needed."""
    import anndata
    import h5py
    from anndata.experimental import read_elem_lazy

    with h5py.File(path, "r") as file:
        cells = anndata.AnnData(
            obs=anndata.io.read_elem(file["obs"]), var=anndata.io.read_elem(file["var"])
        )
        cells.X = read_elem_lazy(file["X"], chunks=(10_000, GENES))
        return by_scanpy(cells)


def by_scanpy(cells) -> list[str]:  # type: ignore[no-untyped-def]
    """Metrics, filters, normalisation, variable genes, by scanpy; ours come of counts per 10,000,
    so no logarithm."""
    import numpy as np
    import scanpy as sc

    cells.var["mt"] = cells.var_names.str.startswith("MT-")
    sc.pp.calculate_qc_metrics(cells, qc_vars=["mt"], percent_top=None, log1p=False, inplace=True)
    few = cells.obs["n_genes_by_counts"] < MIN_GENES
    keep = ~(few | (cells.obs["pct_counts_mt"] > 100 * MAX_MITO)).to_numpy()
    if not keep.all():
        cells = cells[keep].copy()
    sc.pp.normalize_total(cells, target_sum=1e4)
    # genes that no cell has would take part in scanpy's bins
    seen = np.asarray(cells.var["n_cells_by_counts"] > 0)
    cells = cells if seen.all() else cells[:, seen].copy()
    sc.pp.highly_variable_genes(cells, flavor="cell_ranger", n_top_genes=CHOSEN)
    return list(cells.var_names[cells.var["highly_variable"]])


SYSTEMS: dict[str, tuple[str, Callable[[Path], list[str]]]] = {
    "scanpy": ("scanpy", scanpy_genes),
    "scanpy+dask": ("dask", dask_genes),
    "selfcell": ("numpy", selfcell_genes),
}


def once(args: argparse.Namespace) -> None:
    """Run one system: the child process. A file of few cells first, for what is compiled."""
    sys.path.insert(0, str(SRC))
    from selfcell.job import Meter

    chosen = SYSTEMS[args.system][1]
    chosen(args.file.with_suffix(".small.h5ad"))
    meter = Meter()
    genes = chosen(args.file)
    print(json.dumps({**meter.read(), "genes": genes}))


def compare(args: argparse.Namespace) -> None:
    """All systems in turn; one line each, to the screen and to the file."""
    limits = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
    threads = dict.fromkeys(limits, str(args.threads))
    found: dict[str, dict] = {}  # type: ignore[type-arg]
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        file = Path(folder) / "cells.h5ad"
        make(file, args.cells)
        make(file.with_suffix(".small.h5ad"), 2_000)
        for name in [name for name in args.systems or SYSTEMS if _there(name)]:
            warm(file)
            command = [
                sys.executable,
                "-W",
                "ignore",
                __file__,
                "--system",
                name,
                "--file",
                str(file),
            ]
            run = subprocess.run(
                command, env={**os.environ, **threads}, capture_output=True, text=True, check=False
            )
            if run.returncode:
                print(f"{name}: {run.stderr.strip().splitlines()[-1]}", file=sys.stderr)
                continue
            found[name] = json.loads(run.stdout)
    base = found.get("scanpy", next(iter(found.values())))
    lines = [line(name, run, base, args) for name, run in found.items()]
    print("\n".join(lines))
    if args.out:
        args.out.write_text("\n".join(lines) + "\n", encoding="utf-8")


def line(name: str, run: dict, base: dict, args: argparse.Namespace) -> str:  # type: ignore[type-arg]
    """What is said of one system."""
    same = len(set(run["genes"]) & set(base["genes"])) / len(base["genes"])
    return json.dumps({
        "system": name, "cells": args.cells, "genes": GENES, "chosen": CHOSEN,
        "threads": args.threads, "wall_s": run["wall_s"], "cpu_s": run["cpu_s"],
        "peak_mb": run["peak_mb"], "cells_per_s": round(args.cells / run["wall_s"]),
        "cells_per_cpu_s": round(args.cells / run["cpu_s"]),
        "times_faster": round(base["wall_s"] / run["wall_s"], 2),
        "share_of_memory": round(run["peak_mb"] / base["peak_mb"], 3), "same": same,
        "machine": platform.machine(),
    })  # fmt: skip


def table(file: Path) -> str:
    """The lines of a run as a table for docs/performance.md."""
    rows = [
        "| System | Wall s | CPU s | Cells/s | Cells per CPU s | Peak MB | Genes as scanpy's |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for text in file.read_text(encoding="utf-8").splitlines():
        run = json.loads(text)
        wall, cpu = f"{run['wall_s']:.1f} | {run['cpu_s']:.1f}", f"{run['cells_per_cpu_s']:,}"
        rows.append(
            f"| {run['system']} | {wall} | {run['cells_per_s']:,} | {cpu} |"
            f" {run['peak_mb']:,.0f} | {run['same']:.2%} |"
        )
    return "\n".join(rows)


def warm(path: Path) -> None:
    """Read a file, so that it is in the page cache for every system."""
    with open(path, "rb") as file:
        while file.read(1 << 24):
            pass


def _there(name: str) -> bool:
    if importlib.util.find_spec(SYSTEMS[name][0]):
        return True
    print(f"{name} is left out: no module {SYSTEMS[name][0]}", file=sys.stderr)
    return False


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--cells", type=int, default=200_000, help="made-up cells (12 kB each)")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1, help="CPU threads")
    parser.add_argument("--out", type=Path, help="JSON lines")
    parser.add_argument("--table", type=Path, help="show the lines of a file as a table")
    parser.add_argument("--folder", help="where the made-up file goes (default: the system's)")
    parser.add_argument("--systems", nargs="+", choices=list(SYSTEMS), help="default: all")
    parser.add_argument("--system", choices=list(SYSTEMS), help=argparse.SUPPRESS)
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.table:
        print(table(args.table))
    elif args.system:
        once(args)
    else:
        compare(args)


if __name__ == "__main__":
    main()
