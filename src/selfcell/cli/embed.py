"""Embed cells with a pre-trained model."""

from __future__ import annotations

import argparse

from selfcell.cli import common


def parser() -> argparse.ArgumentParser:
    """Options of `selfcell embed`."""
    made = common.make_parser(
        "embed",
        "Embed cells with a pre-trained model: raw counts in, X_selfcell out. The file is read by "
        "blocks and left as it is.",
        "selfcell embed cells.h5ad model --out cells.selfcell.h5ad",
    )
    common.add_file(made)
    common.add_model(made)
    common.add_out(made, "the embedding")
    common.add_embedding(made)
    return made


def main(args: argparse.Namespace) -> None:
    """Read, embed, write, report."""
    common.require_writable(args.out, args.file)
    from selfcell import api

    model = api.load(args.model)
    with common.opened(args.file) as cells:
        model.embed(cells, args.layer, args.gene_ids, args.batch, min_found=args.min_found)
        common.write(args.file, cells, [api.EMBEDDING], [], args.out)
        shape = cells.obsm[api.EMBEDDING].shape
    report = {"cells": shape[0], "dimensions": shape[1], "out": str(args.out)}
    found = dict(model.aligned["cells"])
    common.show({**report, "genes_of_the_model": found.pop("genes"), **found}, args.json)
