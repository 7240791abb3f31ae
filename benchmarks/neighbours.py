"""Exact nearest neighbours against scikit-learn (and faiss where installed), in the same run.

Every system runs in a process of its own, in turn, so that each has its own peak memory and all
share the machine's mood. One JSON line per system: the median over the repeats. `same` is the
share of its neighbours that are scikit-learn's. Made-up embeddings: 50 Gaussian clusters.

    python benchmarks/neighbours.py --references 100000 --queries 10000
    python benchmarks/neighbours.py --references 1000000 --queries 2000 --out neighbours.jsonl
    python benchmarks/neighbours.py --table neighbours.jsonl
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

SRC = Path(__file__).resolve().parents[1] / "src"


def selfcell_search(query, reference, k: int):  # type: ignore[no-untyped-def]
    """This project."""
    from selfcell.tasks.neighbours import nearest

    return nearest(query, reference, k)[0]


def sklearn_search(query, reference, k: int):  # type: ignore[no-untyped-def]
    """scikit-learn's brute force, on all the threads that the run has."""
    from sklearn.neighbors import NearestNeighbors

    index = NearestNeighbors(n_neighbors=k, algorithm="brute", n_jobs=-1).fit(reference)
    return index.kneighbors(query, return_distance=False)


def faiss_search(query, reference, k: int):  # type: ignore[no-untyped-def]
    """faiss's flat index."""
    import faiss

    index = faiss.IndexFlatL2(reference.shape[1])
    index.add(reference)
    return index.search(query, k)[1]


SYSTEMS: dict[str, tuple[str, Callable]] = {  # type: ignore[type-arg]
    "scikit-learn": ("sklearn", sklearn_search),
    "selfcell": ("selfcell", selfcell_search),
    "faiss": ("faiss", faiss_search),
}


def once(args: argparse.Namespace) -> None:
    """Run one system: the child process."""
    sys.path.insert(0, str(SRC))
    import numpy as np

    from selfcell.job import Meter
    from selfcell.keys import generator

    rng = generator("benchmark", args.dims)
    centre = rng.standard_normal((50, args.dims), dtype=np.float32) * 2

    def embedding(cells: int) -> np.ndarray:
        noise = rng.standard_normal((cells, args.dims), dtype=np.float32)
        noise += centre[rng.integers(50, size=cells)]
        return noise

    reference, query = embedding(args.references), embedding(args.queries)
    search = SYSTEMS[args.system][1]
    search(query[:64], reference[:4096], args.k)
    meter, start = Meter(), time.perf_counter()
    found = search(query, reference, args.k)
    wall_s = time.perf_counter() - start
    np.save(args.found, found)
    print(json.dumps({"wall_s": wall_s, **{k: meter.read()[k] for k in ("cpu_s", "peak_mb")}}))


def child(args: argparse.Namespace, system: str, found: Path) -> dict[str, float]:
    """Run a system in a fresh process and read its line."""
    names = ("references", "queries", "dims", "k")
    numbers = [text for name in names for text in (f"--{name}", str(getattr(args, name)))]
    limits = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    threads = dict.fromkeys(limits, str(args.threads))
    command = [sys.executable, __file__, *numbers, "--system", system, "--found", str(found)]
    run = subprocess.run(
        command, env={**os.environ, **threads}, capture_output=True, text=True, check=True
    )
    return dict(json.loads(run.stdout))


def compare(args: argparse.Namespace) -> None:
    """All systems in turn, `repeats` times; one line each."""
    import numpy as np

    names = [name for name, (module, _) in SYSTEMS.items() if _there(module)]
    runs: dict[str, list[dict[str, float]]] = {name: [] for name in names}
    with tempfile.TemporaryDirectory() as folder:
        files = {name: Path(folder) / f"{name}.npy" for name in names}
        for _ in range(args.repeats):
            for name in names:
                runs[name].append(child(args, name, files[name]))
        found = {name: np.load(file) for name, file in files.items()}
    base = statistics.median(run["wall_s"] for run in runs["scikit-learn"])
    for name in names:
        middle = {key: statistics.median(run[key] for run in runs[name]) for key in runs[name][0]}
        shared = [
            len(set(ours) & set(theirs))
            for ours, theirs in zip(found[name], found["scikit-learn"], strict=True)
        ]
        line = {
            "system": name, "references": args.references, "queries": args.queries,
            "dims": args.dims, "k": args.k, "threads": args.threads, "repeats": args.repeats,
            **{key: round(value, 3) for key, value in middle.items()},
            "queries_per_s": round(args.queries / middle["wall_s"]),
            "times_faster": round(base / middle["wall_s"], 2),
            "same": sum(shared) / found[name].size,
        }  # fmt: skip
        print(json.dumps(line), flush=True)
        if args.out:
            with open(args.out, "a", encoding="utf-8") as file:
                print(json.dumps(line), file=file)


def table(file: Path) -> str:
    """The lines of a run as a table for docs/performance.md."""
    rows = [
        "| System | Cells | Queries | Wall s | CPU s | Queries/s | Faster | Peak MB | Same |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for run in map(json.loads, file.read_text(encoding="utf-8").splitlines()):
        times = f"{run['wall_s']:.1f} | {run['cpu_s']:.1f} | {run['queries_per_s']:,}"
        rows.append(
            f"| {run['system']} | {run['references']:,} | {run['queries']:,} | {times} |"
            f" {run['times_faster']:.2f} | {run['peak_mb']:,.0f} | {run['same']:.2%} |"
        )
    return "\n".join(rows)


def _there(module: str) -> bool:
    return module == "selfcell" or importlib.util.find_spec(module) is not None


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--references", type=int, default=100_000, help="labelled cells")
    parser.add_argument("--queries", type=int, default=10_000, help="cells to look up")
    parser.add_argument("--dims", type=int, default=64, help="embedding dimensions")
    parser.add_argument("--k", type=int, default=15, help="neighbours")
    parser.add_argument("--repeats", type=int, default=3, help="runs of each system")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1, help="CPU threads")
    parser.add_argument("--out", type=Path, help="also append the lines to this file")
    parser.add_argument("--table", type=Path, help="show the lines of a file as a table")
    parser.add_argument("--system", choices=list(SYSTEMS), help=argparse.SUPPRESS)
    parser.add_argument("--found", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.table:
        print(table(args.table))
    elif args.system:
        once(args)
    else:
        compare(args)


if __name__ == "__main__":
    main()
