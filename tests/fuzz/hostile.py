"""Hostile values and files, and what no reader may do with them."""

from __future__ import annotations

import contextlib
import copy
import io
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from selfcell import cli
from selfcell.errors import SelfcellError

SECONDS = 20_000  # milliseconds of one case; a reader that hangs fails by it
TEXT = st.text(max_size=20) | st.sampled_from(
    ["../../evil", "/etc/passwd", "nan", "1e999", "\0", "\u202e", "é,\t'\"", "!!python/name:os"]
)
NUMBERS = st.integers() | st.floats() | st.sampled_from([2**63, -(2**63), 10**30, 0, 1e308])
SCALARS = st.none() | st.booleans() | NUMBERS | TEXT
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=8,
)


def cases(number: int) -> settings:
    """So many cases, the same in every run."""
    return settings(
        max_examples=number,
        derandomize=True,
        database=None,
        deadline=SECONDS,
        suppress_health_check=list(HealthCheck),
    )


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where something stands in nested lists and mappings."""
    items: Any = ()
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value[:3])
    for key, inner in items:
        yield (*path, key)
        yield from places(inner, (*path, key))


def replaced(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    """A copy with another value at one place."""
    whole = copy.deepcopy(value)
    place = whole
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = new
    return whole


def damaged(content: bytes) -> st.SearchStrategy[bytes]:
    """Bytes with some flipped, cut off, or put in."""
    at = st.integers(0, len(content) - 1)
    flips = st.lists(st.tuples(at, st.integers(1, 255)), min_size=1, max_size=8)

    def flip(changes: list[tuple[int, int]]) -> bytes:
        changed = bytearray(content)
        for place, mask in changes:
            changed[place] ^= mask
        return bytes(changed)

    insert = st.tuples(at, st.binary(min_size=1, max_size=16))
    return (
        flips.map(flip)
        | at.map(lambda length: content[:length])
        | insert.map(lambda each: content[: each[0]] + each[1] + content[each[0] :])
        | st.binary(max_size=64)
    )


def files(folder: Path) -> set[str]:
    """All files below a folder."""
    found = (Path(where) / name for where, _, names in os.walk(folder) for name in names)
    return {str(path.relative_to(folder)) for path in found}


@contextlib.contextmanager
def nothing_but(folder: Path, *written: str) -> Iterator[None]:
    """Fail where the block leaves other files below `folder` than these and those before."""
    before = files(folder)
    yield
    assert files(folder) - before <= set(written)


def refused_or_done(reader: Callable[[], Any]) -> Any:
    """What the reader gives, or None where it refuses in words: whatever else it raises is a fault
    of ours."""
    try:
        return reader()
    except SelfcellError:
        return None


def answer(path: Path) -> int:
    """Exit code of `selfcell doctor`; anything else than an exit is a fault."""
    hooks = sys.excepthook, sys.unraisablehook
    said, complained = io.StringIO(), io.StringIO()
    code = 0
    with (
        contextlib.redirect_stdout(said),
        contextlib.redirect_stderr(complained),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")  # of libraries, about what is wrong with the file
        try:
            cli.main(["doctor", str(path)])
        except SystemExit as end:
            code = int(end.code or 0)
    sys.excepthook, sys.unraisablehook = hooks
    assert "Traceback" not in complained.getvalue()
    if code == 2:
        assert complained.getvalue().startswith("error: ")
    return code
