"""Sums and gathers over the processes of a distributed run, with gradients.

With one process each function is the identity, so a method is written once. With R processes
the loop averages gradients over them (`average_gradients`); every other function here is its own
exact derivative under that average, so R processes with B cells each take the step of one process
with R * B cells. Whoever starts the processes gives each its part of every batch
(`data.loader.Loader`, `rank` and `ranks`); the workflow starts one.

Shape suffixes: B cells of this process, N cells of all processes, D features.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch
from torch import Tensor
from torch import distributed as dist

_ALONE = ContextVar("alone", default=False)


def processes() -> int:
    """Number of processes that train together; 1 without torch.distributed, and where `alone`."""
    if _ALONE.get() or not (dist.is_available() and dist.is_initialized()):
        return 1
    return dist.get_world_size()


@contextmanager
def alone() -> Iterator[None]:
    """A block in which this process computes as the only one: on cells that all of them have."""
    before = _ALONE.set(True)
    try:
        yield
    finally:
        _ALONE.reset(before)


class _Sum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        total = x.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        total = grads[0].clone()
        dist.all_reduce(total)
        return total


def sum_across(x: Tensor) -> Tensor:
    """The sum of `x` over all processes; every process gets it."""
    return _Sum.apply(x) if processes() > 1 else x


def mean_across(x: Tensor) -> Tensor:
    """The mean of `x` over all processes. As a denominator it makes the average over processes
    of local sums / mean count equal to the global sum / global count."""
    return sum_across(x) / processes()


def max_across(value: int) -> int:
    """The largest `value` of any process; returns when all have come here."""
    if processes() == 1:
        return value
    largest = torch.tensor(value)
    dist.all_reduce(largest, dist.ReduceOp.MAX)
    return int(largest)


@torch.no_grad()
def average_gradients(parameters: Iterable[Tensor]) -> None:
    """Put each gradient's mean over all processes in its place; every process must have the
    same ones."""
    if processes() > 1:
        for p in parameters:
            if p.grad is not None:
                dist.all_reduce(p.grad)
                p.grad /= processes()


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x_BD: Tensor) -> Tensor:
        parts = [torch.empty_like(x_BD) for _ in range(processes())]
        dist.all_gather(parts, x_BD.contiguous())
        ctx.rows = x_BD.shape[0]
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        total_ND = grads[0].clone()
        dist.all_reduce(total_ND)
        return total_ND[dist.get_rank() * ctx.rows :][: ctx.rows]


def gather_across(x_BD: Tensor) -> Tensor:
    """(N, D) rows of all processes in order of rank. Every process must hold the same B."""
    return _Gather.apply(x_BD) if processes() > 1 else x_BD


def first_row(rows: int) -> int:
    """Where this process's rows begin in `gather_across` of `rows` rows a process."""
    return dist.get_rank() * rows if processes() > 1 else 0
