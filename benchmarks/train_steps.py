"""One process of `train.py`: cells, and the step of the system that it is asked to time.

Shape suffixes: B cells, G genes.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

EXPECTED = "selfcell-expected"  # ours, zeros weighted by their chance of being masked
LOADED = "selfcell-loaded"  # ours, on batches that are loaded instead of one that is there
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
        self.args, self.store = args, None
        self.steps: dict[Job, Any] = {}  # of the method at hand
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
        if any((job.method, job.precision) != (old.method, old.precision) for old in self.steps):
            self.steps.clear()
        if job not in self.steps:
            self.steps[job] = self.make(job)
        step, flops = self.steps[job]
        wall, cpu = time.perf_counter(), time.process_time()
        loss = step(job.steps)
        seconds = time.perf_counter() - wall, time.process_time() - cpu
        cells = job.steps * self.args.batch
        return {
            "cells_per_s": cells / seconds[0],
            "cells_per_cpu_s": cells / seconds[1],
            "loss": loss,
            "flops": flops,
        }

    def make(self, job: Job):  # type: ignore[no-untyped-def]
        """A function of a number of steps, and the products of one cell's step in FLOP."""
        if job.system == "gemm":
            return self.gemm(job.precision), 0.0
        if job.system in ("selfcell", EXPECTED, LOADED):
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
        """The very loop that trains, on one batch with fresh noise at each step; `LOADED`: on
        shuffled batches of a store, which lie on a GPU as in training."""
        from made_up import build

        from selfcell.methods.base import Batch
        from selfcell.rng import Noise
        from selfcell.train.loop import Plan, fit
        from selfcell.train.optim import optimiser

        bench, device = self, self.args.device
        changed = {"loss": "expected_mse"} if job.system == EXPECTED else {}
        method = build(job.method, self.contexts, **changed).to(device)
        descent = optimiser(method, 1e-3, 0.01)

        class Batches:
            first = 0

            def batch(self, step: int) -> Batch:
                import torch

                cell_B = torch.arange(len(bench.x_BG), device=device)
                noise = Noise(0, self.first + step, cell_B)
                if loaded is not None:
                    return loaded.batch(self.first + step)
                return Batch(bench.x_BG, bench.x_BG, bench.x_BG.sum(1), noise)

        batches = Batches()
        loaded = self.loaded() if job.system == LOADED else None

        def steps(number: int) -> float:
            plan = Plan(number, bf16=job.precision == "bfloat16", log_every=number)
            history, _ = fit(method, batches, descent, plan)
            batches.first += number
            return self.wait(history[-1]["loss"])

        steps(1)
        return steps

    def loaded(self):  # type: ignore[no-untyped-def]
        """Batches of a store of two batches of made-up cells."""
        import anndata
        import numpy as np
        import synthetic
        import torch

        from selfcell.data.cells import StoreCells
        from selfcell.data.device import on_device
        from selfcell.data.loader import Loader
        from selfcell.data.store import Store
        from selfcell.data.writer import write_store

        genes = self.args.genes
        if self.store is None:
            folder = tempfile.TemporaryDirectory(prefix="selfcell")
            made = anndata.concat(list(synthetic.blocks(2 * self.args.batch, genes)))
            write_store(made, synthetic.vocabulary(genes), Path(folder.name) / "store")
            self.store = folder
        store = Store.open(Path(self.store.name) / "store", verify=False)
        cells = StoreCells.of([(store, np.arange(store.n_cells))])
        loader = Loader(cells, np.arange(store.n_cells), self.args.batch, 0)
        return on_device(loader, torch.device(self.args.device))

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
