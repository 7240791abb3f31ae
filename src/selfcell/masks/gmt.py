"""Gene sets from GMT files, read strictly: a damaged file is an error, never a shorter study.

Source: the GMT format of the Broad Institute: one set a line, tab-separated name, description,
genes.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from selfcell.errors import DataError

REMEDY = "fetch the file again, or repair that line"


def read_gmt(path: Path | str) -> dict[str, tuple[str, ...]]:
    """Gene sets by name, in the file's order; a gene repeated within a set counts once.

    Raises:
        DataError: a file that is not UTF-8 text or holds no set; a line that is empty, holds a
            NUL byte, lacks name, description or genes, holds an empty gene, or repeats a name.
            The message names file and line.
    """
    raw = Path(path).read_bytes()
    sets: dict[str, tuple[str, ...]] = {}
    lines = raw.split(b"\n")
    if lines[-1] == b"":
        lines.pop()
    for number, line in enumerate(lines, start=1):
        name, genes = _parse(line.removesuffix(b"\r"), f"{path}, line {number}")
        if name in sets:
            raise DataError(f"{path}, line {number}: gene set {name!r} again", "names once", REMEDY)
        sets[name] = genes
    if not sets:
        raise DataError(f"{path} holds no gene set", "one set a line", REMEDY)
    return sets


def _parse(line: bytes, where: str) -> tuple[str, tuple[str, ...]]:
    if b"\0" in line:
        raise DataError(f"{where}: a NUL byte", "text", REMEDY)
    try:
        fields = line.decode("utf-8").split("\t")
    except UnicodeDecodeError as error:
        raise DataError(f"{where}: bytes that are not UTF-8", "text", REMEDY) from error
    if not line.strip():
        raise DataError(f"{where}: an empty line", "a gene set", REMEDY)
    while len(fields) > 1 and fields[-1] == "":  # trailing tabs: padding that some tools write
        fields.pop()
    fields = [field.strip() for field in fields]
    if len(fields) < 3:
        raise DataError(
            f"{where}: {len(fields)} tab-separated fields", "name, description, genes", REMEDY
        )
    if not fields[0] or "" in fields[2:]:
        raise DataError(f"{where}: an empty name or gene", "no empty field", REMEDY)
    return fields[0], tuple(dict.fromkeys(fields[2:]))


def write_gmt(sets: Iterable[tuple[str, Iterable[str]]], path: Path | str) -> None:
    """Write gene sets in the order given, with the description `na`."""
    text = "".join("\t".join([name, "na", *genes]) + "\n" for name, genes in sets)
    Path(path).write_text(text, encoding="utf-8")
