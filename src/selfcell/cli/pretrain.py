"""Pre-train a model on a file of cells, without labels."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from selfcell.cli import common
from selfcell.errors import ConfigError

NUMBERS = {
    "genes": (2000, "most variable genes that the model sees", "genes"),
    "steps": (400, "optimiser steps", "steps"),
    "batch": (256, "cells of a step", "cells"),
    "seed": (0, "of the initial weights and of all draws", "number"),
}


def parser() -> argparse.ArgumentParser:
    """Options of `selfcell pretrain`."""
    made = common.make_parser(
        "pretrain",
        "Pre-train a model on cells, without labels, as the study does. The cells are held in "
        "memory; the model is a folder.",
        "selfcell pretrain cells.h5ad --out model --method random_mask --steps 2000",
    )
    common.add_file(made)
    made.add_argument(
        "--out", type=Path, required=True, metavar="FOLDER",
        help="model folder to write; required, no default, e.g. --out model",
    )  # fmt: skip
    made.add_argument(
        "--method", default="random_mask", metavar="NAME",
        help="pretext task, a name in selfcell.methods (default %(default)s), e.g. --method vicreg",
    )  # fmt: skip
    made.add_argument(
        "--params", default="{}", metavar="JSON",
        help="hyper-parameters of the method (default %(default)s: the study's), "
        "e.g. --params '{\"rate\": 0.3}'",
    )  # fmt: skip
    made.add_argument(
        "--gene-sets", type=Path, metavar="FILE",
        help="GMT file of gene sets, for methods of gene programmes (default: none), "
        "e.g. --gene-sets c8.gmt",
    )  # fmt: skip
    made.add_argument(
        "--gene-table", type=Path, metavar="FILE",
        help="gene table of a study (reference/genes.csv.gz of its results): names become "
        "Ensembl ids, and only human genes that code for proteins stay (default: names and genes "
        "of the file), e.g. --gene-table results/smoke/reference/genes.csv.gz",
    )  # fmt: skip
    for name, (default, text, unit) in NUMBERS.items():
        made.add_argument(
            f"--{name}", type=int, default=default, metavar="N",
            help=f"{text} (default {default} {unit}), e.g. --{name} {2 * default + 1}",
        )  # fmt: skip
    made.add_argument(
        "--min-genes", type=int, metavar="N",
        help="a cell in which fewer genes are seen is not trained on (default: 200 genes, or a "
        "tenth of a file of under 2,000), e.g. --min-genes 20",
    )  # fmt: skip
    made.add_argument(
        "--hidden", type=int, nargs="+", default=[512, 512, 256, 256, 64], metavar="N",
        help="widths of the encoder's layers in units, the last the embedding's "
        "(default 512 512 256 256 64), e.g. --hidden 128 32",
    )  # fmt: skip
    made.add_argument(
        "--lr", type=float, default=1e-3, metavar="RATE",
        help="learning rate of a step (default %(default)s), e.g. --lr 0.0003",
    )  # fmt: skip
    _add_run(made)
    made.add_argument(
        "--licence", default="", metavar="TEXT",
        help="licence of the weights, for the card (default: not stated), e.g. --licence CC-BY-4.0",
    )  # fmt: skip
    return made


def _add_run(made: argparse.ArgumentParser) -> None:
    """Where and how long to train."""
    made.add_argument(
        "--device", default="auto", metavar="NAME",
        help="where to train: cpu, cuda (a GPU), or auto, a GPU where there is one "
        "(default %(default)s), e.g. --device cpu",
    )  # fmt: skip
    made.add_argument(
        "--minutes", type=float, metavar="N",
        help="minutes of training after which it ends before its last step (default: none), "
        "e.g. --minutes 30",
    )  # fmt: skip


def main(args: argparse.Namespace) -> None:
    """Read, train, write, report."""
    from selfcell import api, job
    from selfcell.data.own import opened

    if args.out.exists():
        raise ConfigError(f"--out {args.out} is there already", "a folder to make")
    try:
        params = json.loads(args.params)
    except json.JSONDecodeError as error:
        raise ConfigError(f"--params is not JSON: {error}", "one JSON object") from error
    if not isinstance(params, dict):
        raise ConfigError(f"--params {args.params}", "one JSON object")
    with opened(args.file) as cells:
        model = api.pretrain(
            cells, args.method, layer=args.layer, gene_ids=args.gene_ids, params=params,
            gene_sets=args.gene_sets, gene_table=args.gene_table, genes=args.genes,
            min_genes=args.min_genes, hidden=tuple(args.hidden), steps=args.steps,
            batch=args.batch, lr=args.lr, seed=args.seed, device=args.device,
            minutes=args.minutes, licence=args.licence or api.NO_LICENCE,
        )  # fmt: skip
    with job.atomic(args.out) as folder:
        model.save(folder)
    about = model.trained.about
    report = {"out": str(args.out), "status": about["status"], "genes": len(about["gene_ids"])}
    common.show(
        report | {"cells": about["corpus"]["n_cells"], "health": about["health"]}, args.json
    )
