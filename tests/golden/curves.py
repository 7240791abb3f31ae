"""Golden loss curves: eight steps of every method, as the loop trains them.

`python -m tests.golden.curves` writes them anew, from the root of the checkout: only where a
change of a method's numbers is meant, which the change says.
"""

from __future__ import annotations

import json
from pathlib import Path

import torch

from selfcell.methods import METHODS
from selfcell.methods.base import Batch
from selfcell.provenance import cpu_flags, short_hash
from selfcell.train.loop import Plan, fit
from selfcell.train.optim import optimiser
from tests.methods.factory import batch, context, make

FILE = Path(__file__).parent / "curves.json"
STEPS, THREADS = 8, 1


class Cells:
    """Batches of 64 cells of the synthetic corpus."""

    def batch(self, step: int) -> Batch:
        """The batch of a step."""
        first = step * 64 % 512
        return batch(context(dropout=0.1), range(first, first + 64), step)


def machine() -> dict[str, object]:
    """What the last digits of a curve depend on."""
    capability = f"{torch.backends.cpu.get_cpu_capability()} {short_hash(sorted(cpu_flags()))}"
    return {"torch": torch.__version__, "cpu": capability, "threads": torch.get_num_threads()}


def curve(name: str) -> list[float]:
    """Loss of each step, in float32."""
    method = make(name, context(dropout=0.1))
    descent = optimiser(method, 1e-3, 0.01)
    rows, _ = fit(method, Cells(), descent, Plan(STEPS, log_every=1))
    return [row["loss"] for row in rows]


if __name__ == "__main__":
    torch.set_num_threads(THREADS)
    curves = {name: curve(name) for name in METHODS}
    FILE.write_text(json.dumps(machine() | {"loss": curves}, indent=1) + "\n", encoding="utf-8")
