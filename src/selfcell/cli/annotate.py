"""Name cell types, learned from a labelled file."""

from __future__ import annotations

import argparse
from pathlib import Path

from selfcell.cli import common


def parser() -> argparse.ArgumentParser:
    """Options of `selfcell annotate`."""
    made = common.make_parser(
        "annotate",
        "Name the types of cells: both files are embedded by the model, a readout learns the "
        "labels of the reference. Writes selfcell_label and, where the readout has "
        "probabilities, selfcell_confidence. Types that the reference lacks are never named.",
        "selfcell annotate cells.h5ad model --reference reference.h5ad --label cell_type "
        "--out cells.selfcell.h5ad",
    )
    common.add_file(made)
    common.add_model(made)
    cells = "cells with labels, any format"
    common.option(made, "--reference", "FILE", cells, "ref.h5ad", kind=Path, required=True)
    label = "obs column of the reference that holds the labels"
    common.option(made, "--label", "COLUMN", label, "celltype", default="cell_type")
    readout = "probe (logistic regression, gives a confidence), prototype, knn1 or knn5"
    common.option(made, "--readout", "NAME", readout, "knn5", default="probe")
    common.add_matrix(made, "reference-", "the reference")
    common.add_out(made, "the labels")
    common.add_embedding(made)
    return made


def main(args: argparse.Namespace) -> None:
    """Read, embed both, learn, name, write, report."""
    common.require_writable(args.out, args.file, args.reference)
    from selfcell import api

    model = api.load(args.model)
    with common.opened(args.file) as cells, common.opened(args.reference) as reference:
        model.annotate(
            cells, reference, args.label, args.readout, layer=args.layer, gene_ids=args.gene_ids,
            reference_layer=args.reference_layer, reference_gene_ids=args.reference_gene_ids,
            batch=args.batch, min_found=args.min_found,
        )  # fmt: skip
        names = [api.LABEL, api.CONFIDENCE]
        common.write(args.file, cells, [], names, args.out)
        obs = cells.obs[[name for name in names if name in cells.obs]]
    counts = obs[api.LABEL].value_counts()
    report: dict[str, object] = {"cells": len(obs), "out": str(args.out)}
    for name, found in model.aligned.items():
        report[f"genes of {name}"] = found
    if api.CONFIDENCE in obs:
        report["median_confidence"] = round(float(obs[api.CONFIDENCE].median()), 3)
    report["labelled"] = {str(name): int(n) for name, n in counts.items()}
    common.show(report, args.json)
