"""Items come in their order, one of them made beforehand."""

from __future__ import annotations

import threading
from collections.abc import Generator

import pytest

from selfcell.data.ahead import one_ahead


def counted(n: int, made: list[int]) -> Generator[int, None, None]:
    for number in range(n):
        made.append(number)
        yield number


def test_same_items_in_their_order() -> None:
    assert list(one_ahead(range(5))) == [0, 1, 2, 3, 4]
    assert list(one_ahead([])) == []


def test_next_item_is_made_while_this_one_is_used() -> None:
    used, made = threading.Event(), []

    def items() -> Generator[int, None, None]:
        yield 0
        made.append(used.wait(20))  # set only once the first item is in use
        yield 1

    source = one_ahead(items())
    assert next(source) == 0
    used.set()
    assert next(source) == 1
    assert made == [True]


def test_no_more_than_one_is_made_beforehand_and_none_after_a_stop() -> None:
    made: list[int] = []
    source = one_ahead(counted(100, made))
    next(source)
    source.close()
    assert made == [0, 1]
    assert not [t for t in threading.enumerate() if t.name.startswith("ahead")]


def test_error_comes_where_its_item_would_have() -> None:
    def items() -> Generator[int, None, None]:
        yield 1
        raise ValueError("damaged")

    source = one_ahead(items())
    assert next(source) == 1
    with pytest.raises(ValueError, match="damaged"):
        next(source)
