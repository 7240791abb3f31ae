"""Loaders under test; runs in each one's own environment, and imports no more than that one has.

    python loader_systems.py NAME --step prepare --data cells.h5ad --work folder
    python loader_systems.py NAME --step dense --data cells.h5ad --work folder --batch 4096

`prepare` converts the cells to the system's own format; `dense` and `sparse` read epochs until
`--seconds` have passed, after a warm-up. The last line printed is the result, as JSON.

selfcell gives log1p of counts per 10,000, its peers (`loader_peers.py`) counts.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import loader_packed
import numpy as np
from loader_peers import PEERS, Batches, nothing

THREADS = os.cpu_count() or 1


def selfcell_prepare(data: Path, work: Path) -> None:
    import anndata
    import pandas as pd

    from selfcell.data.writer import write_store

    cells = anndata.read_h5ad(data, backed="r")
    genes = pd.DataFrame({"gene_id": cells.var_names, "symbol": cells.var_names})
    write_store(cells, genes, work / "selfcell", shuffle=0)


def selfcell_reader(block: int, fused_threads: int = THREADS) -> Callable[..., Batches]:
    state: dict[str, Any] = {}

    def batches(data: Path, work: Path, batch: int, dense: bool) -> Batches:
        from selfcell.data.cells import StoreCells
        from selfcell.data.loader import Loader
        from selfcell.data.store import Store

        if not state:
            store = Store.open(work / "selfcell", verify=False)
            cells = StoreCells.of([(store, np.arange(store.n_cells))])
            names = store.obs.index.str.removeprefix("cell").to_numpy(dtype=np.int64)
            rows = np.arange(store.n_cells)
            loader = Loader(cells, rows, batch, 0, block=block, threads=fused_threads)
            state.update(loader=loader, names=names, step=0)
        loader, first = state["loader"], state["step"]
        last = state["step"] = first + len(state["names"]) // batch
        stream = loader.dense_stream if dense else loader.sparse_stream
        for step, x in enumerate(stream(first, last), first):
            yield x, state["names"][loader.positions(step)[0]]

    return batches


SYSTEMS = {
    "selfcell": (selfcell_prepare, selfcell_reader(block=1)),
    "selfcell blocks": (nothing, selfcell_reader(block=256)),
    "selfcell packed": (loader_packed.prepare, loader_packed.reader(THREADS)),
    **PEERS,
}


def memory(name: str) -> float:
    """MB of this process, of /proc/self/status: RssAnon now, VmHWM at its peak."""
    with open("/proc/self/status") as file:
        line = next(line for line in file if line.startswith(name))
    return int(line.split()[1]) / 1024


def entropy(label_B: np.ndarray) -> float:
    """Bits of a batch's labels."""
    share = np.bincount(label_B) / len(label_B)
    share = share[share > 0]
    return float(-(share * np.log2(share)).sum())


def bound(cells: int, genes: int, seconds: float) -> float:
    """Cells per second that all threads together write as dense float32 zeros."""
    from concurrent.futures import ThreadPoolExecutor

    array = np.zeros((cells, genes), dtype=np.float32)
    parts, done, start = np.array_split(array, THREADS), 0, time.perf_counter()
    with ThreadPoolExecutor(THREADS) as pool:
        while time.perf_counter() - start < seconds:
            list(pool.map(lambda part: part.fill(0), parts))
            done += cells
    return done / (time.perf_counter() - start)


def evict(folder: Path) -> None:
    """Drop the files of a folder from the page cache."""
    for file in folder.rglob("*"):
        if file.is_file():
            handle = os.open(file, os.O_RDONLY)
            os.fsync(handle)
            os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(handle)


def measure(args: argparse.Namespace, label_N: np.ndarray) -> dict[str, Any]:
    """Read epochs; the rate is that of the whole time, an epoch's opening included."""
    batches = SYSTEMS[args.system][1]
    seen: list[np.ndarray] = []
    anonymous = 0.0
    epoch = batches(args.data, args.work, args.batch, args.step == "dense")
    for _ in range(1 if args.cold else 3):
        next(epoch)
    if args.cold:
        evict(args.work)
    before = memory("RssAnon")
    wall, cpu, cells = time.perf_counter(), time.process_time(), 0
    while time.perf_counter() - wall < args.seconds and (cells == 0 or not args.cold):
        seen = []
        for _, number in epoch:
            cells += len(number)
            seen.append(number)
            anonymous = max(anonymous, memory("RssAnon"))
            if time.perf_counter() - wall > 3 * args.seconds:
                break
        epoch = batches(args.data, args.work, args.batch, args.step == "dense")
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    full = [number for number in seen if len(number) == args.batch]
    rng = np.random.default_rng(0)
    ideal = [entropy(rng.choice(label_N, args.batch, replace=False)) for _ in range(len(full))]
    return {
        "cells_per_s": round(cells / wall), "cells_per_cpu_s": round(cells / cpu),
        "entropy": round(float(np.mean([entropy(label_N[n]) for n in full])), 4),
        "ideal_entropy": round(float(np.mean(ideal)), 4),
        "peak_mb": round(memory("VmHWM")), "anonymous_mb": round(anonymous),
        "grown_mb": round(anonymous - before),
    }  # fmt: skip


def main() -> None:
    """One step of one system."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("system", choices=list(SYSTEMS))
    parser.add_argument("--step", choices=["prepare", "dense", "sparse"], required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--batch", type=int, default=4096)
    parser.add_argument("--genes", type=int, default=19_331)
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--cold", action="store_true", help="one epoch, out of no cache")
    args = parser.parse_args()
    warnings.filterwarnings("ignore")
    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))
    if args.step == "prepare":
        start, cpu = time.perf_counter(), time.process_time()
        SYSTEMS[args.system][0](args.data, args.work)
        wall = time.perf_counter() - start
        result = {"prepare_s": round(wall, 1), "prepare_cpu_s": round(time.process_time() - cpu, 1)}
        result["prepare_peak_mb"] = round(memory("VmHWM"))
    else:
        ours = args.step == "dense" and args.system.startswith("selfcell")
        before = bound(args.batch, args.genes, 0.7) if ours else 0
        result = measure(args, np.load(args.work / "labels.npy"))
        if ours:
            after = bound(args.batch, args.genes, 0.7)
            result["bound_cells_per_s"] = round((before + after) / 2)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
