"""Pre-train a model on a file of cells, without labels."""

from __future__ import annotations

import argparse
import json
import logging
from contextlib import nullcontext
from pathlib import Path

from selfcell.cli import common
from selfcell.errors import ConfigError

log = logging.getLogger("selfcell")

HIDDEN = (512, 512, 256, 256, 64)
NUMBERS = {
    "genes": (2000, "most variable genes that the model sees", 4000),
    "steps": (400, "optimiser steps", 2000),
    "batch": (256, "cells of a step", 512),
    "seed": (0, "number that the initial weights and all draws come from", 1),
}


def parser() -> argparse.ArgumentParser:
    """Options of `selfcell pretrain`."""
    made = common.make_parser(
        "pretrain",
        "Pre-train a model on cells, without labels, as the study does. The cells are held in "
        "memory; the model is a folder.",
        "selfcell pretrain cells.h5ad --out model --method random_mask --steps 2000",
    )
    common.add_file(made, "; or a store that convert wrote")
    common.add_new_model(made)
    method = "pretext task, a name in selfcell.methods"
    common.option(made, "--method", "NAME", method, "vicreg", default="random_mask")
    params, rate = "hyper-parameters of the method, one JSON object", "'{\"rate\": 0.3}'"
    common.option(made, "--params", "JSON", params, rate, default="{}", shown="the study's")
    sets = "GMT file of gene sets, for methods of gene programmes"
    common.option(made, "--gene-sets", "FILE", sets, "c8.gmt", shown="none", kind=Path)
    table = (
        "gene table of a study (reference/genes.csv.gz of its results): names become Ensembl ids, "
        "and only human genes that code for proteins stay"
    )
    shown, example = "names and genes of the file", "results/smoke/reference/genes.csv.gz"
    common.option(made, "--gene-table", "FILE", table, example, shown=shown, kind=Path)
    for name, (default, text, other) in NUMBERS.items():
        common.option(made, f"--{name}", "N", text, other, default=default, kind=int)
    fewest = "a cell in which fewer genes are seen is not trained on"
    shown = "200 genes, or a tenth of a file of under 2,000"
    common.option(made, "--min-genes", "N", fewest, 20, shown=shown, kind=int)
    widths = "widths of the encoder's layers in units, the last the embedding's"
    common.option(
        made, "--hidden", "N", widths, "128 32", default=HIDDEN, kind=int, many=True,
        shown=" ".join(map(str, HIDDEN)),
    )  # fmt: skip
    common.option(made, "--lr", "RATE", "learning rate of a step", 0.0003, default=1e-3, kind=float)
    _add_run(made)
    return made


def _add_run(made: argparse.ArgumentParser) -> None:
    """Where and how long to train."""
    where = "where to train: cpu, cuda (a GPU), or auto, a GPU where there is one"
    common.option(made, "--device", "NAME", where, "cpu", default="auto")
    long = "minutes of training after which it ends before its last step"
    common.option(made, "--minutes", "N", long, 30, shown="none", kind=float)


def main(args: argparse.Namespace) -> None:
    """Read, train, write, report."""
    from selfcell import job
    from selfcell.pretraining import NO_LICENCE, pretrain

    common.require_free(args.out)
    try:
        params = json.loads(args.params)
    except json.JSONDecodeError as error:
        raise ConfigError(f"--params is not JSON: {error}", "one JSON object") from error
    if not isinstance(params, dict):
        raise ConfigError(f"--params {args.params}", "one JSON object")
    is_store = (args.file / "manifest.json").is_file()
    with nullcontext(args.file) if is_store else common.opened(args.file) as cells:
        model = pretrain(
            cells, args.method, layer=args.layer, gene_ids=args.gene_ids, params=params,
            gene_sets=args.gene_sets, gene_table=args.gene_table, genes=args.genes,
            min_genes=args.min_genes, hidden=tuple(args.hidden), steps=args.steps,
            batch=args.batch, lr=args.lr, seed=args.seed, device=args.device,
            minutes=args.minutes, licence=args.licence or NO_LICENCE,
        )  # fmt: skip
    with job.atomic(args.out) as folder:
        model.save(folder)
    about = model.trained.about
    if about["status"] != "ok":
        log.warning("the model is %r: it is written, but pre-train longer, or on more cells, "
                    "before you rely on it", about["status"])  # fmt: skip
    report = {"out": str(args.out), "status": about["status"], "genes": len(about["gene_ids"])}
    common.show(
        report | {"cells": about["corpus"]["n_cells"], "health": about["health"]}, args.json
    )
