"""Passes over large arrays, joined into one kernel where a GPU makes them."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, wraps
from typing import ParamSpec, TypeVar

import torch

Given = ParamSpec("Given")
Made = TypeVar("Made")


@cache
def compiled(function: Callable[Given, Made]) -> Callable[Given, Made]:
    """The function compiled once for all shapes and numbers."""
    made: Callable[Given, Made] = torch.compile(function, dynamic=True)
    return made


def fused(function: Callable[Given, Made]) -> Callable[Given, Made]:
    """The function, compiled where its first argument lies on a GPU.

    There each pass over memory costs a launch and the memory's time; on a processor the function
    runs as it is written, by blocks that stay in the cache, with nothing to compile first.
    """

    @wraps(function)
    def chosen(*args: Given.args, **kwargs: Given.kwargs) -> Made:
        first = args[0]
        on_gpu = isinstance(first, torch.Tensor) and first.device.type == "cuda"
        return (compiled(function) if on_gpu else function)(*args, **kwargs)

    return chosen
