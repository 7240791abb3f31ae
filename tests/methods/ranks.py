"""One process of a distributed run: every method's loss and gradient, and what the loop changes
by three steps, written to a file.

`python -m tests.methods.ranks RANK RANKS MEETING OUT`; each rank takes every RANKS-th cell.
"""

from __future__ import annotations

import sys
import warnings

import torch
from safetensors.torch import save_file
from torch import distributed as dist

from selfcell.methods import METHODS
from selfcell.methods.base import Batch
from selfcell.nets.across import average_gradients, mean_across
from selfcell.train.loop import Plan, fit
from tests.methods.factory import batch, context, make

CELLS = 64
CASES = {
    **{name: {} for name in METHODS},
    "random_mask/nb": {"loss": "nb"},
    "random_mask/expected": {"loss": "expected_mse"},
    "gene_programme/expressed": {"of": "expressed"},
    "gene_programme/expressed batch": {"of": "expressed", "per_batch": True},
    "gene_programme/batch": {"of": "programmes", "per_batch": True},
    "byol/batch": {"per_batch": True, "p": 0.5},
}
TRAINED = ("random_mask", "byol")


def gradients(rank: int, ranks: int) -> dict[str, torch.Tensor]:
    """Loss and gradient of each case, averaged over the ranks."""
    known = context(dropout=0.1)
    out = {}
    for case, values in CASES.items():
        method = make(case.split("/")[0], known, **values)
        loss, _ = method.loss(batch(known, range(rank, CELLS, ranks), step=5))
        loss.backward()
        average_gradients(method.parameters())
        grads = [p.grad.flatten() for p in method.parameters() if p.grad is not None]
        out[case] = torch.cat([mean_across(loss.detach())[None], *grads])
    return out


class Part:
    """This rank's part of each batch."""

    def __init__(self, rank: int, ranks: int) -> None:
        self.known, self.rows = context(dropout=0.1), range(rank, CELLS, ranks)

    def batch(self, step: int) -> Batch:
        """The batch of a step."""
        return batch(self.known, self.rows, step=step)


def changes(rank: int, ranks: int) -> dict[str, torch.Tensor]:
    """Loss of the last of three steps of the loop, and the change of all weights."""
    out = {}
    for name in TRAINED:
        part = Part(rank, ranks)
        method = make(name, part.known)
        before = [p.detach().clone() for p in method.parameters()]
        descent = torch.optim.SGD(method.parameters(), lr=0.5)
        history, _ = fit(method, part, descent, Plan(3, log_every=1))
        moved = [(p - q).flatten() for p, q in zip(method.parameters(), before, strict=True)]
        last = torch.tensor([history[-1]["loss"]])
        out[f"{name}/loop"] = torch.cat([last, *moved]).detach()
    return out


def main(rank: int, ranks: int, meeting: str, path: str) -> None:
    """Meet the other ranks through a file, compute, save."""
    torch.set_num_threads(1)
    if ranks > 1:
        address = f"file://{meeting}"
        dist.init_process_group("gloo", init_method=address, rank=rank, world_size=ranks)
    save_file(gradients(rank, ranks) | changes(rank, ranks), path)
    if ranks > 1:
        dist.destroy_process_group()


if __name__ == "__main__":
    warnings.simplefilter("error")
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4])
