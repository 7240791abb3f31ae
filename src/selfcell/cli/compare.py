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
    made.add_argument(
        "--labels", default="cell_type", metavar="COLUMN",
        help="obs column of cell types; cells without one are left out (default %(default)s), "
        "e.g. --labels celltype",
    )  # fmt: skip
    made.add_argument(
        "--batch", default="", metavar="COLUMN",
        help="obs column of donors or batches: whole ones are held out (default: none, cells are "
        "divided at random), e.g. --batch donor",
    )  # fmt: skip
    made.add_argument(
        "--corpus", action="append", default=[], metavar="FILE",
        help="other cells to pre-train on, a file or a data set of the study; repeat for several "
        "(default: the file's own training cells alone), e.g. --corpus kang",
    )  # fmt: skip
    made.add_argument(
        "--corpus-layer", default="", metavar="NAME",
        help="where the raw counts of those files are (default: X), e.g. --corpus-layer counts",
    )  # fmt: skip


def _add_run(made: argparse.ArgumentParser) -> None:
    """How much is run, and where."""
    made.add_argument(
        "--effort", default="default", metavar="HOW",
        help="what is run. quick: one pretext task, frozen; default: two, and fine-tuning; full: "
        "five, five seeds, twenty draws. About 3, 8 and 60 minutes of one core for 3,000 cells "
        "(default %(default)s), e.g. --effort quick",
    )  # fmt: skip
    made.add_argument(
        "--out", type=Path, default=Path(), metavar="FOLDER",
        help="folder to run in; results/ is made there (default: the current one), "
        "e.g. --out study",
    )  # fmt: skip
    made.add_argument(
        "--name", default="", metavar="NAME",
        help="of the study and its folder (default: the file's), e.g. --name islets",
    )  # fmt: skip
    made.add_argument(
        "--cores", type=int, default=0, metavar="N",
        help="processor cores to use (default 0: all of them), e.g. --cores 2",
    )  # fmt: skip
    made.add_argument(
        "--max-cells", type=int, metavar="N",
        help="draw so many cells of the file, 0 for all (default: 20000 for quick, else all), "
        "e.g. --max-cells 5000",
    )  # fmt: skip
    made.add_argument(
        "--min-test", type=int, default=15, metavar="N",
        help="leave types out that have fewer cells to test on (default %(default)s cells), "
        "e.g. --min-test 10",
    )  # fmt: skip
    made.add_argument(
        "--dry-run", action="store_true",
        help="say what it would take, and write its configuration (default: run it), "
        "e.g. --dry-run --json",
    )  # fmt: skip


def main(args: argparse.Namespace) -> None:
    """Look at the file, run the study, print its answer."""
    from selfcell.comparison.run import compare

    answer = compare(
        args.file, args.labels, args.batch, layer=args.layer, gene_ids=args.gene_ids,
        corpora=args.corpus, corpus_layer=args.corpus_layer, effort=args.effort, out=args.out,
        name=args.name, cores=args.cores, max_cells=args.max_cells, min_test=args.min_test,
        dry_run=args.dry_run,
    )  # fmt: skip
    print(json.dumps(answer.about, indent=1) if args.json else answer.text())
