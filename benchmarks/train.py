"""Training steps per method and precision: ours, plain torch, and the released design.

Ours runs in one process, the others in another, since each sets its memory up in its own way. For
each method both take turns, `repeats` times, with a square matrix product in between, so that a
busy machine is busy for all of them. One JSON line per system, method and precision goes to
`--out`; numbers are medians over the repeats, ratios medians of each repeat's ratio.

    python benchmarks/train.py --batch 2048 --out train.jsonl
    python benchmarks/train.py --batch 8192 --out train.jsonl --methods random_mask
    python benchmarks/train.py --batch 8192 --out train.jsonl --device cuda
"""

from __future__ import annotations

import argparse
import json
import multiprocessing as mp
import os
import statistics
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "src")]

PRECISIONS = ("float32", "bfloat16")
LARGEST_PRODUCT = 4096
PRODUCT = 2 * LARGEST_PRODUCT**3  # FLOP


@dataclass(frozen=True)
class Job:
    """What a process is asked to time: `steps` steps of a system."""

    system: str
    method: str
    precision: str
    steps: int


class Bench:
    """One process: cells, and the step of the last system that was asked for."""

    def __init__(self, args: argparse.Namespace) -> None:
        import torch
        from made_up import contexts

        torch.set_num_threads(args.threads)
        self.args, self.step, self.of = args, None, None
        self.contexts = contexts(args.genes)
        rng = torch.Generator().manual_seed(0)
        rate_G = torch.rand(args.genes, generator=rng).square() * 0.23
        shape = args.batch, args.genes
        self.x_BG = torch.empty(shape)
        for row in self.x_BG:  # 7.7 % of the entries, log1p of small counts
            expressed = torch.rand(args.genes, generator=rng) < rate_G
            row.copy_((torch.rand(args.genes, generator=rng) * 20 + 3).log1p() * expressed)
        self.x_BG = self.x_BG.to(args.device)

    def run(self, job: Job) -> dict[str, float]:
        """Time a job; its first call makes the step and warms it up."""
        key = job.system, job.method, job.precision
        if self.of != key:
            self.step = None
            (self.step, self.flops), self.of = self.make(job), key
        wall, cpu = time.perf_counter(), time.process_time()
        loss = self.step(job.steps)
        seconds = time.perf_counter() - wall, time.process_time() - cpu
        cells = job.steps * self.args.batch
        return {
            "cells_per_s": cells / seconds[0],
            "cells_per_cpu_s": cells / seconds[1],
            "loss": loss,
            "flops": self.flops,
        }

    def make(self, job: Job):  # type: ignore[no-untyped-def]
        """A function of a number of steps, and the products of one cell's step in FLOP."""
        if job.system == "gemm":
            return self.gemm(job.precision), 0.0
        if job.system == "selfcell":
            return self.ours(job), 0.0
        return self.theirs(job)

    def gemm(self, precision: str):  # type: ignore[no-untyped-def]
        """Steps are products; their `cells_per_s` is turned into FLOP/s by the caller."""
        import torch

        shape = 2, LARGEST_PRODUCT, LARGEST_PRODUCT
        a, b = torch.rand(shape, device=self.args.device).to(getattr(torch, precision))

        def products(steps: int) -> float:
            for _ in range(steps):
                a @ b
            return self.wait(0.0)

        products(1)
        return products

    def ours(self, job: Job):  # type: ignore[no-untyped-def]
        """The very loop that trains, on one batch with fresh noise at each step."""
        from made_up import build

        from selfcell.methods.base import Batch
        from selfcell.rng import Noise
        from selfcell.train.loop import Plan, fit
        from selfcell.train.optim import optimiser

        bench, device = self, self.args.device
        method = build(job.method, self.contexts).to(device)
        descent = optimiser(method, 1e-3, 0.01)

        class Batches:
            first = 0

            def batch(self, step: int) -> Batch:
                import torch

                cell_B = torch.arange(len(bench.x_BG), device=device)
                noise = Noise(0, self.first + step, cell_B)
                return Batch(bench.x_BG, bench.x_BG, bench.x_BG.sum(1), noise)

        batches = Batches()

        def steps(number: int) -> float:
            plan = Plan(number, bf16=job.precision == "bfloat16", log_every=number)
            history, _ = fit(method, batches, descent, plan)
            batches.first += number
            return self.wait(history[-1]["loss"])

        steps(1)
        return steps

    def theirs(self, job: Job):  # type: ignore[no-untyped-def]
        """Plain torch or the released step, and the FLOP of a cell."""
        import plain_steps as plain
        from made_up import build
        from torch.utils.flop_counter import FlopCounterMode

        from selfcell.train.optim import LARS, optimiser

        genes, device = self.args.genes, self.args.device
        if job.system == "released-step":
            step: Any = plain.ReleasedStep(genes, device)
        else:
            twin = build(job.method, self.contexts).to(device)
            masked = hasattr(twin, "draw")
            draw = plain.draws(job.method, twin) if masked else None
            model: Any = (
                plain.PlainMasked(genes, draw) if draw else plain.PlainSiamese(job.method, genes)
            )
            model, descent = model.to(device), optimiser(twin, 1e-3, 0.01)
            kind = LARS if isinstance(descent, LARS) else None
            trained = [p for p in model.parameters() if p.requires_grad]
            own: Any = kind(trained, 0.2) if kind else type(descent)(trained, lr=1e-4, fused=True)
            step = plain.PlainStep(model, own, job.precision == "bfloat16")
        with FlopCounterMode(display=False) as counter:
            step(self.x_BG)
        flops = counter.get_total_flops() / self.args.batch

        def steps(number: int) -> float:
            loss = [step(self.x_BG) for _ in range(number)]
            return self.wait(loss[-1])

        return steps, flops

    def wait(self, value: float) -> float:
        """The value, once the device has done what it was asked for."""
        import torch

        if self.args.device != "cpu":
            torch.cuda.synchronize()
        return value


def serve(args: argparse.Namespace, pipe) -> None:  # type: ignore[no-untyped-def]
    """A process: answers jobs until told to stop."""
    bench = Bench(args)
    while (job := pipe.recv()) is not None:
        pipe.send(bench.run(job))


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
        for other in runs.keys() - {name}:
            for kind, key in (("times", "cells_per_s"), ("cpu_times", "cells_per_cpu_s")):
                pairs = zip(mine, runs[other], strict=True)
                row[f"{kind}_{other}"] = middle(one[key] / two[key] for one, two in pairs)
        row |= {"mflop_per_cell": flops[plain] / 1e6, "gemm_gflop_per_s": rate}
        names = ("genes", "threads", "device", "steps", "repeats")
        yield row | {key: getattr(args, key) for key in names} | {"load": os.getloadavg()[0]}


def line(row: dict[str, Any]) -> str:
    """One row of the printed table."""
    ratio = " ".join(
        f"{key.removeprefix('times_')} x{value:.2f} (CPU x{row['cpu_' + key]:.2f})"
        for key, value in row.items()
        if key.startswith("times_") and row["system"] == "selfcell"
    )
    return (
        f"| {row['method']} | {row['system']} | {row['precision']} | {row['cells_per_s']:,.0f} | "
        f"{row['cells_per_cpu_s']:,.0f} | {row['share_of_gemm_bound']:.2f} | {row['loss']:.4f} | "
        f"{ratio} |"
    )


def main() -> None:
    """Read the command line and run."""
    from selfcell.methods import METHODS

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--batch", type=int, default=2048, help="cells of a step")
    parser.add_argument("--out", type=Path, required=True, help="file that lines are added to")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=list(METHODS))
    parser.add_argument("--precisions", nargs="+", default=list(PRECISIONS), choices=PRECISIONS)
    parser.add_argument("--genes", type=int, default=19331, help="inputs")
    parser.add_argument("--steps", type=int, default=2, help="steps of a timing")
    parser.add_argument("--repeats", type=int, default=3, help="timings of each system, in turn")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1, help="CPU threads")
    args = parser.parse_args()
    mp.set_start_method("spawn")
    print("| method | system | precision | cells/s | cells/CPU s | of GEMM bound | loss | ours |")
    print("| --- | --- | --- | ---: | ---: | ---: | ---: | --- |")
    compare(args)


if __name__ == "__main__":
    main()
