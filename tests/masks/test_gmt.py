"""GMT files: what is read, and what is refused with its line."""

from pathlib import Path

import pytest

from selfcell.errors import DataError
from selfcell.masks.gmt import read_gmt, write_gmt


def written(tmp_path: Path, content: bytes) -> Path:
    """A file of that content."""
    path = tmp_path / "sets.gmt"
    path.write_bytes(content)
    return path


def test_sets_in_order_and_genes_once(tmp_path: Path) -> None:
    path = written(tmp_path, b"B\thttp://x\tG1\tG2\tG1\r\nA\t\tG3\t\n")
    assert list(read_gmt(path).items()) == [("B", ("G1", "G2")), ("A", ("G3",))]


def test_round_trip(tmp_path: Path) -> None:
    sets = {"ONE": ("A", "B"), "TWO": ("C",)}
    write_gmt(sets.items(), tmp_path / "x.gmt")
    assert read_gmt(tmp_path / "x.gmt") == sets


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "holds no gene set"),
        (b"A\tna\tG1\n\nB\tna\tG2\n", "line 2: an empty line"),
        (b"A\tna\tG1\n \t \t \n", "line 2: an empty line"),
        (b"A\tna\tG1\nB\tna\n", "line 2: 2 tab-separated fields"),
        (b"A\tna\t\t\n", "line 1: 1 tab-separated field|line 1: 2 tab-separated fields"),
        (b"A\tna\tG1\t\tG2\n", "line 1: an empty name or gene"),
        (b"\tna\tG1\n", "line 1: an empty name or gene"),
        (b"A\tna\tG1\nA\tna\tG2\n", "line 2: gene set 'A' again"),
        (b"A\tna\tG\x001\n", "line 1: a NUL byte"),
        (b"A\tna\tG1\n\xff\xfe\tna\tG\n", "line 2: bytes that are not UTF-8"),
        (b"not a gmt file", "line 1: 1 tab-separated fields"),
    ],
)
def test_damage_is_refused_with_its_line(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_gmt(written(tmp_path, content))
