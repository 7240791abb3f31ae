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
    made.add_argument(
        "--out", type=Path, required=True, metavar="PATH",
        help="folder of the store to write; of a store, the .h5ad to write; required, no default, "
        "e.g. --out cells.store",
    )  # fmt: skip
    for role, (what, example) in ROLES.items():
        made.add_argument(
            f"--{role}", default="", metavar="COLUMN",
            help=f"obs column of the {what} (default: none, unknown in every cell), "
            f"e.g. --{role} {example}",
        )  # fmt: skip
    return made


def main(args: argparse.Namespace) -> None:
    """Convert, report."""
    from selfcell import convert
    from selfcell.data.own import opened

    if args.out.exists():
        raise ConfigError(f"--out {args.out} is there already", "a name that is free")
    is_store = (args.file / "manifest.json").is_file()
    if (args.out.suffix == ".h5ad") != is_store:
        needed = "a name that ends in .h5ad" if is_store else "the name of a folder"
        raise ConfigError(f"--out {args.out}", needed)
    if is_store:
        report = convert.to_h5ad(args.file, args.out)
    else:
        columns = {role: getattr(args, role) for role in ROLES}
        with opened(args.file) as cells:
            report = convert.to_store(cells, args.out, columns, args.layer, args.gene_ids)
    common.show({"out": str(args.out), **report}, args.json)
