"""Work one item ahead: the next one is made by a thread while this one is used."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar, cast

Item = TypeVar("Item")


def one_ahead(items: Iterable[Item]) -> Generator[Item, None, None]:
    """The items in their order, each made while the one before it is used.

    At most two are there at a time. What making an item raises is raised where the item would
    have come; a caller that stops early waits for the item being made, and makes no more.
    """
    source, end = iter(items), object()
    with ThreadPoolExecutor(1, thread_name_prefix="ahead") as pool:
        coming = pool.submit(next, source, end)
        while (item := coming.result()) is not end:
            coming = pool.submit(next, source, end)
            yield cast(Item, item)
