"""Turn a checkpoint of the code released with the paper into a model folder."""

from __future__ import annotations

import argparse
from pathlib import Path

from selfcell.cli import common


def parser() -> argparse.ArgumentParser:
    """Options of `selfcell import-checkpoint`."""
    made = common.make_parser(
        "import-checkpoint",
        "Turn a checkpoint of the code released with the paper (masked autoencoder, BYOL, SimSiam, "
        "Barlow Twins, classifier) into a model folder. No code of the checkpoint is run.",
        "selfcell import-checkpoint best_checkpoint_val.ckpt --genes genes.txt --out model",
    )
    made.add_argument("checkpoint", type=Path, help="the .ckpt file, as Lightning wrote it")
    common.add_new_model(made)
    genes = (
        "text file of the model's genes in the order of its input: an Ensembl id a line, after a "
        "tab its symbol"
    )
    common.option(made, "--genes", "FILE", genes, "genes.txt", kind=Path, required=True)
    method = "what pre-trained it, for the card: masked autoencoders look alike in a checkpoint"
    shown = "what its names tell"
    common.option(made, "--method", "NAME", method, "gene_programme", default="", shown=shown)
    seen = "the model sees a selection of the genes: cells are then scaled over all genes of a file"
    common.switch(made, "--variable-genes", seen, "over the model's genes, all of the atlas")
    return made


def main(args: argparse.Namespace) -> None:
    """Read, write, report."""
    common.require_free(args.out)
    from selfcell import importer, job
    from selfcell.api import Model

    genes = importer.read_genes(args.genes)
    licence = args.licence or importer.LICENCE
    trained = importer.import_checkpoint(
        args.checkpoint, genes, args.method, licence, args.variable_genes
    )
    with job.atomic(args.out) as folder:
        Model(trained).save(folder)
    spec = trained.about["spec"]
    report = {"out": str(args.out), "method": spec["method"], "genes": len(genes)}
    common.show(report | {"widths": spec["network"]["hidden"]}, args.json)
