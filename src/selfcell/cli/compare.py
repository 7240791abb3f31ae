"""Run the study on a labelled file of cells: should I pre-train?"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from selfcell.cli import common


def parser() -> argparse.ArgumentParser:
    """Options of `selfcell compare`."""
    made = common.make_parser(
        "compare",
        "Run the study on your cells: networks pre-trained on the training half, frozen and "
        "fine-tuned, against the same networks from scratch, PCA and logistic regression, all "
        "from the same few labels. Ends with the answer to 'should I pre-train?', its interval "
        "and cost. Everything is written to results/ of the folder; the same command again goes "
        "on where it stopped.",
        "selfcell compare cells.h5ad --labels cell_type --batch donor --effort quick",
    )
    common.add_file(made)
    _add_cells(made)
    _add_run(made)
    return made


def _add_cells(made: argparse.ArgumentParser) -> None:
    """What the cells are, and which others go with them."""
    labels = "obs column of cell types; cells without one are left out"
    common.option(made, "--labels", "COLUMN", labels, "celltype", default="cell_type")
    batch = "obs column of donors or batches: whole ones are held out"
    shown = "none, cells are divided at random"
    common.option(made, "--batch", "COLUMN", batch, "donor", default="", shown=shown)
    corpus = "other cells to pre-train on, a file or a data set of the study"
    common.several(made, "--corpus", "FILE", corpus, "kang", "the file's own training cells alone")
    layer = "where the raw counts of those files are"
    common.option(made, "--corpus-layer", "NAME", layer, "counts", default="", shown="X")
    model = "ready model to judge beside those trained here, a folder or owner/name on the Hub"
    common.several(made, "--model", "MODEL", model, "model", "none")
    common.add_min_found(made)


def _add_run(made: argparse.ArgumentParser) -> None:
    """How much is run, and where."""
    effort = (
        "what is run. quick: one pretext task, frozen; default: two, and fine-tuning; full: "
        "five, five seeds, twenty draws. About 3, 8 and 60 minutes of one core for 3,000 cells"
    )
    common.option(made, "--effort", "HOW", effort, "quick", default="default")
    common.option(
        made, "--out", "FOLDER", "folder to run in; results/ is made there", "study",
        default=Path(), shown="the current one", kind=Path,
    )  # fmt: skip
    name = "of the study and its folder"
    common.option(made, "--name", "NAME", name, "islets", default="", shown="the file's")
    cores = "processor cores to use, 0 for all of them"
    common.option(made, "--cores", "N", cores, 2, default=0, kind=int)
    common.option(
        made, "--max-cells", "N", "draw so many cells of the file, 0 for all", 5000,
        shown="20000 for quick, else all", kind=int,
    )  # fmt: skip
    least = "cells of a type to test on; types that have fewer are left out"
    common.option(made, "--min-test", "N", least, 10, default=15, kind=int)
    said = "say what it would take, and write its configuration"
    common.switch(made, "--dry-run", said, "run it", "--json")


def main(args: argparse.Namespace) -> None:
    """Look at the file, run the study, print its answer."""
    from selfcell.comparison.run import compare

    answer = compare(
        args.file, args.labels, args.batch, layer=args.layer, gene_ids=args.gene_ids,
        corpora=args.corpus, corpus_layer=args.corpus_layer, models=args.model,
        min_found=args.min_found, effort=args.effort, out=args.out, name=args.name,
        cores=args.cores, max_cells=args.max_cells, min_test=args.min_test, dry_run=args.dry_run,
    )  # fmt: skip
    print(json.dumps(answer.about, indent=1) if args.json else answer.text())
