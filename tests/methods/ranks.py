"""One process of a distributed step: every method's loss and gradient, written to a file.

`python -m tests.methods.ranks RANK RANKS MEETING OUT`; each rank takes every RANKS-th cell.
"""

from __future__ import annotations

import sys
import warnings

import torch
from safetensors.torch import save_file
from torch import distributed as dist

from selfcell.methods import METHODS
from tests.methods.factory import batch, context, make

CELLS = 64
CASES = {
    **{name: {} for name in METHODS},
    "random_mask/nb": {"loss": "nb"},
    "gene_programme/expressed": {"of": "expressed"},
    "gene_programme/expressed batch": {"of": "expressed", "per_batch": True},
    "gene_programme/batch": {"of": "programmes", "per_batch": True},
    "byol/batch": {"per_batch": True, "p": 0.5},
}


def gradients(rank: int, ranks: int) -> dict[str, torch.Tensor]:
    """Loss and gradient of each case, averaged over the ranks."""
    known = context(dropout=0.1)
    out = {}
    for case, values in CASES.items():
        method = make(case.split("/")[0], known, **values)
        loss, _ = method.loss(batch(known, range(rank, CELLS, ranks), step=5))
        loss.backward()
        grads = [p.grad.flatten() for p in method.parameters() if p.grad is not None]
        flat = torch.cat([loss.detach()[None], *grads])
        if ranks > 1:
            dist.all_reduce(flat)
        out[case] = flat / ranks
    return out


def main(rank: int, ranks: int, meeting: str, path: str) -> None:
    """Meet the other ranks through a file, compute, save."""
    torch.set_num_threads(1)
    if ranks > 1:
        address = f"file://{meeting}"
        dist.init_process_group("gloo", init_method=address, rank=rank, world_size=ranks)
    save_file(gradients(rank, ranks), path)
    if ranks > 1:
        dist.destroy_process_group()


if __name__ == "__main__":
    warnings.simplefilter("error")
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4])
