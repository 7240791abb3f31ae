"""What the commands share: options, what they print, the file they write."""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from selfcell import job
from selfcell.errors import ConfigError, DataError

if TYPE_CHECKING:
    from anndata import AnnData

FORMATS = (".h5ad", ".csv", ".parquet")


def make_parser(command: str, text: str, example: str) -> argparse.ArgumentParser:
    """A parser that shows an example; `--json` is common to all commands."""
    parser = argparse.ArgumentParser(
        prog=f"selfcell {command}",
        description=text,
        epilog=f"example: {example}",
        allow_abbrev=False,
    )
    switch(parser, "--json", "print the result as JSON", "as text", "> result.json")
    return parser


def option(
    parser: argparse.ArgumentParser,
    flag: str,
    metavar: str,
    what: str,
    example: object,
    *,
    default: object = None,
    shown: object = None,
    kind: Callable[[str], object] = str,
    required: bool = False,
    many: bool = False,
) -> None:
    """Add an option whose help ends in its default and an example.

    Args:
        what: what it is, with its unit.
        example: a value, or several words.
        shown: what the help says of the default; None: the default itself.
        kind: what makes the value out of the text.
        many: one value or more after the flag.
    """
    said = "required, no default" if required else f"default: {default if shown is None else shown}"
    parser.add_argument(
        flag, metavar=metavar, default=default, type=kind, required=required,
        nargs="+" if many else None,
        help=_escaped(f"{what} ({said}), e.g. {flag} {example}"),
    )  # fmt: skip


def several(
    parser: argparse.ArgumentParser, flag: str, metavar: str, what: str, example: object, shown: str
) -> None:
    """Add an option that may be given several times; without it the list is empty."""
    parser.add_argument(
        flag, metavar=metavar, action="append", default=[],
        help=_escaped(f"{what}; repeat for several (default: {shown}), e.g. {flag} {example}"),
    )  # fmt: skip


def switch(
    parser: argparse.ArgumentParser, flag: str, what: str, shown: str, example: str = ""
) -> None:
    """Add an option without a value; `shown` is what is done without it."""
    said = f"{what} (default: {shown}), e.g. {flag} {example}"
    parser.add_argument(flag, action="store_true", help=_escaped(said))


def _escaped(text: str) -> str:
    return text.replace("%", "%%")


def add_file(parser: argparse.ArgumentParser, more: str = "") -> None:
    """The file of cells, and which matrix and genes of it are meant; `more`: other forms."""
    formats = "cells: .h5ad, 10x .h5, 10x folder, .csv (genes in rows) or .zarr"
    parser.add_argument("file", type=Path, help=formats + more)
    add_matrix(parser, "", "the file")


def add_matrix(parser: argparse.ArgumentParser, prefix: str, what: str) -> None:
    """`--layer` and `--gene-ids`, with a prefix."""
    where = f"where the raw counts of {what} are: a layer's name, or raw"
    option(parser, f"--{prefix}layer", "NAME", where, "counts", shown="X")
    ids = f"var column of the Ensembl ids of {what}"
    shown = "gene_ids where it holds them, else the var names"
    option(parser, f"--{prefix}gene-ids", "COLUMN", ids, "ensembl_id", default="", shown=shown)


def add_model(parser: argparse.ArgumentParser) -> None:
    """The model to use."""
    parser.add_argument(
        "model",
        help="model folder, e.g. one that pretrain wrote, or owner/name@revision on the Hugging "
        "Face Hub",
    )


def add_embedding(parser: argparse.ArgumentParser) -> None:
    """`--batch` and `--min-found` of embedding."""
    cells = "cells read at once; more takes more memory and gives the same result"
    option(parser, "--batch", "CELLS", cells, 4096, default=1024, kind=int)
    add_min_found(parser)


def add_min_found(parser: argparse.ArgumentParser) -> None:
    """The share of a model's genes that is asked for."""
    share = "refuse cells that have under this share of the model's genes, in [0, 1]"
    option(parser, "--min-found", "SHARE", share, 0.3, default=0.5, kind=float)


def add_out(parser: argparse.ArgumentParser, what: str) -> None:
    """`--out` of a table or a copy of the file."""
    text = f"a copy of the file with {what} (.h5ad), or {what} alone, a row a cell (.csv, .parquet)"
    option(parser, "--out", "PATH", text, "cells.selfcell.h5ad", kind=Path, required=True)


def add_new_model(parser: argparse.ArgumentParser) -> None:
    """`--out` and `--licence` of a model that is made."""
    option(parser, "--out", "FOLDER", "model folder to write", "model", kind=Path, required=True)
    licence = "licence of the weights, for the card"
    option(parser, "--licence", "TEXT", licence, "CC-BY-4.0", default="", shown="not stated")


@contextmanager
def opened(path: Path) -> Iterator[AnnData]:
    """A file of cells. Raises DataError as `data.own.opened`, and for a store."""
    from selfcell.data import own

    if (path / "manifest.json").is_file():
        remedy = f"selfcell convert {path} --out cells.h5ad"
        raise DataError(f"{path} is a store of this project", "a file of cells", remedy)
    with own.opened(path) as adata:
        yield adata


def require_free(out: Path) -> None:
    """Raise ConfigError where something is there already; before anything is computed."""
    if out.exists():
        raise ConfigError(f"--out {out} is there already", "a name that is free")


def require_writable(out: Path, *inputs: Path) -> None:
    """Raise ConfigError for a format that `write` does not know, and for a file that is read;
    before anything is computed."""
    if out.resolve() in [path.resolve() for path in inputs]:
        raise ConfigError(f"--out {out} is a file that is read", "another name: it stays as it is")
    if out.suffix not in FORMATS:
        raise ConfigError(f"--out {out}", f"a name that ends in {', '.join(FORMATS)}")


def show(report: Mapping[str, Any], as_json: bool) -> None:
    """Print a result: JSON, or a line for each key."""
    if as_json:
        print(json.dumps(report, indent=1))
        return
    for key, value in report.items():
        print(f"{key.replace('_', ' ')}: {_shown(value)}")


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        return "; ".join(f"{key} {_shown(part)}" for key, part in value.items())
    return ", ".join(map(str, value)) or "none" if isinstance(value, list) else str(value)


def write(source: Path, adata: AnnData, obsm: list[str], obs: list[str], out: Path) -> None:
    """Write what was added to the cells, all of it or nothing.

    Args:
        source: the file the cells came from; an h5ad is copied byte for byte, then added to.
        obsm, obs: names of what was added. A name of `obs` that the cells lack is taken out of the
            copy: it is of an earlier result.
    """
    import anndata
    import numpy as np

    from selfcell.data import hdf5

    made = [name for name in obs if name in adata.obs]
    with job.atomic(out) as temporary:
        if out.suffix != ".h5ad":
            _write_table(adata, obsm, made, temporary)
        elif source.suffix.lower() != ".h5ad":
            adata.write_h5ad(temporary)
        else:
            shutil.copyfile(source, temporary)
            with hdf5.opened(temporary, "r+") as file:
                for name in obsm:
                    anndata.io.write_elem(file.require_group("obsm"), name, adata.obsm[name])
                for name in made:
                    anndata.io.write_elem(file["obs"], name, adata.obs[name].values)
                earlier = (set(obs) - set(made)) & set(file["obs"])
                for name in earlier:
                    del file["obs"][name]
                columns = dict.fromkeys([*file["obs"].attrs["column-order"], *made])
                if obs:  # text without an entry has no form in HDF5
                    kept = [name for name in columns if name not in earlier]
                    file["obs"].attrs["column-order"] = np.array(kept, dtype=object)


def _write_table(adata: AnnData, obsm: list[str], obs: list[str], out: Path) -> None:
    import pandas as pd

    parts = [adata.obs[obs].reset_index(drop=True)]  # by place: cells may share a name
    for name in obsm:
        values = adata.obsm[name]
        columns = [f"{name}_{i}" for i in range(values.shape[1])]
        parts.append(pd.DataFrame(values, columns=columns))
    frame = pd.concat(parts, axis=1).set_axis(adata.obs_names)
    frame.index.name = "cell"
    frame.to_csv(out) if out.suffix == ".csv" else frame.to_parquet(out)
