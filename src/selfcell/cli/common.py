"""What the commands share: options, what they print, the file they write."""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from selfcell import job
from selfcell.errors import ConfigError

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
    parser.add_argument(
        "--json", action="store_true", help="print the result as JSON (default: as text)"
    )
    return parser


def add_file(parser: argparse.ArgumentParser) -> None:
    """The file of cells, and which matrix and genes of it are meant."""
    parser.add_argument(
        "file", type=Path, help="cells: .h5ad, 10x .h5, 10x folder, .csv (genes in rows) or .zarr"
    )
    add_matrix(parser, "", "the file")


def add_matrix(parser: argparse.ArgumentParser, prefix: str, what: str) -> None:
    """`--layer` and `--gene-ids`, with a prefix."""
    parser.add_argument(
        f"--{prefix}layer", metavar="NAME",
        help=f"where the raw counts of {what} are: a layer's name, or raw (default: X), "
        f"e.g. --{prefix}layer counts",
    )  # fmt: skip
    parser.add_argument(
        f"--{prefix}gene-ids", metavar="COLUMN", default="",
        help=f"var column of the Ensembl ids of {what} (default: gene_ids where it holds them, "
        f"else the var names), e.g. --{prefix}gene-ids ensembl_id",
    )  # fmt: skip


def add_model(parser: argparse.ArgumentParser) -> None:
    """The model to use."""
    parser.add_argument(
        "model",
        help="model folder, e.g. one that pretrain wrote, or owner/name@revision on the Hugging "
        "Face Hub",
    )


def add_batch(parser: argparse.ArgumentParser) -> None:
    """`--batch` of embedding."""
    parser.add_argument(
        "--batch", type=int, default=1024, metavar="CELLS",
        help="cells read at once; more takes more memory and gives the same result "
        "(default %(default)s cells), e.g. --batch 4096",
    )  # fmt: skip


def add_min_found(parser: argparse.ArgumentParser) -> None:
    """`--min-found` of embedding."""
    parser.add_argument(
        "--min-found", type=float, default=0.5, metavar="SHARE",
        help="refuse cells that have under this share of the model's genes, in [0, 1] "
        "(default %(default)s), e.g. --min-found 0.3",
    )  # fmt: skip


def add_out(parser: argparse.ArgumentParser, what: str) -> None:
    """`--out` of a table or a copy of the file."""
    parser.add_argument(
        "--out", type=Path, required=True, metavar="PATH",
        help=f"a copy of the file with {what} (.h5ad), or {what} alone, a row a cell (.csv, "
        ".parquet); required, no default, e.g. --out cells.selfcell.h5ad",
    )  # fmt: skip


def require_writable(out: Path) -> None:
    """Raise ConfigError for a format that `write` does not know; before anything is computed."""
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
        obsm, obs: names of what was added.
    """
    import anndata
    import h5py
    import numpy as np

    with job.atomic(out) as temporary:
        if out.suffix != ".h5ad":
            _write_table(adata, obsm, obs, temporary)
        elif source.suffix != ".h5ad":
            adata.write_h5ad(temporary)
        else:
            shutil.copyfile(source, temporary)
            with h5py.File(temporary, "r+") as file:
                for name in obsm:
                    anndata.io.write_elem(file.require_group("obsm"), name, adata.obsm[name])
                for name in obs:
                    anndata.io.write_elem(file["obs"], name, adata.obs[name].values)
                columns = dict.fromkeys([*file["obs"].attrs["column-order"], *obs])
                file["obs"].attrs["column-order"] = np.array(list(columns), dtype=object)


def _write_table(adata: AnnData, obsm: list[str], obs: list[str], out: Path) -> None:
    import pandas as pd

    frame = adata.obs[obs].copy()
    for name in obsm:
        values = adata.obsm[name]
        columns = [f"{name}_{i}" for i in range(values.shape[1])]
        frame = frame.join(pd.DataFrame(values, index=frame.index, columns=columns))
    frame.index.name = "cell"
    frame.to_csv(out) if out.suffix == ".csv" else frame.to_parquet(out)
