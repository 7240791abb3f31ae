"""Convert a file of cells to a store of this project, or a store to h5ad."""

from __future__ import annotations

import argparse
from pathlib import Path

from selfcell.cli import common
from selfcell.errors import ConfigError

ROLES = {
    "label": ("cell types", "cell_type"),
    "donor": ("donors", "donor_id"),
    "batch": ("batches", "lane"),
    "condition": ("conditions", "treatment"),
}


def parser() -> argparse.ArgumentParser:
    """Options of `selfcell convert`."""
    made = common.make_parser(
        "convert",
        "Convert a file of cells to a store, the compact checksummed form that training reads, or "
        "a store to h5ad. A store keeps the counts of all genes and the columns named here, no "
        "more.",
        "selfcell convert cells.h5ad --out cells.store --label cell_type",
    )
    common.add_file(made)
    out = "folder of the store to write; of a store, the .h5ad to write"
    common.option(made, "--out", "PATH", out, "cells.store", kind=Path, required=True)
    shown = "none, unknown in every cell"
    for role, (what, example) in ROLES.items():
        text = f"obs column of the {what}"
        common.option(made, f"--{role}", "COLUMN", text, example, default="", shown=shown)
    return made


def main(args: argparse.Namespace) -> None:
    """Convert, report."""
    from selfcell import convert

    common.require_free(args.out)
    is_store = (args.file / "manifest.json").is_file()
    if (args.out.suffix == ".h5ad") != is_store:
        needed = "a name that ends in .h5ad" if is_store else "the name of a folder"
        raise ConfigError(f"--out {args.out}", needed)
    if is_store:
        report = convert.to_h5ad(args.file, args.out)
    else:
        columns = {role: getattr(args, role) for role in ROLES}
        with common.opened(args.file) as cells:
            report = convert.to_store(cells, args.out, columns, args.layer, args.gene_ids)
    common.show({"out": str(args.out), **report}, args.json)
