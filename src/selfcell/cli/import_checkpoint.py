"""Turn a checkpoint of the code released with the paper into a model folder."""

from __future__ import annotations

import argparse
from pathlib import Path

from selfcell.cli import common
from selfcell.errors import ConfigError


def parser() -> argparse.ArgumentParser:
    """Options of `selfcell import-checkpoint`."""
    made = common.make_parser(
        "import-checkpoint",
        "Turn a checkpoint of the code released with the paper (masked autoencoder, BYOL, SimSiam, "
        "Barlow Twins, classifier) into a model folder. No code of the checkpoint is run.",
        "selfcell import-checkpoint best_checkpoint_val.ckpt --genes genes.txt --out model",
    )
    made.add_argument("checkpoint", type=Path, help="the .ckpt file, as Lightning wrote it")
    made.add_argument(
        "--genes", type=Path, required=True, metavar="FILE",
        help="text file of the model's genes in the order of its input: an Ensembl id a line, "
        "after a tab its symbol; required, no default, e.g. --genes genes.txt",
    )  # fmt: skip
    made.add_argument(
        "--out", type=Path, required=True, metavar="FOLDER",
        help="model folder to write; required, no default, e.g. --out model",
    )  # fmt: skip
    made.add_argument(
        "--method", default="", metavar="NAME",
        help="what pre-trained it, for the card: masked autoencoders look alike in a checkpoint "
        "(default: what its names tell), e.g. --method gene_programme",
    )  # fmt: skip
    made.add_argument(
        "--variable-genes", action="store_true",
        help="the model sees a selection of the genes: cells are then scaled over all genes of a "
        "file (default: over the model's genes, all of the atlas), e.g. --variable-genes ",
    )  # fmt: skip
    made.add_argument(
        "--licence", default="", metavar="TEXT",
        help="licence of the weights, for the card (default: not stated), e.g. --licence MIT",
    )  # fmt: skip
    return made


def main(args: argparse.Namespace) -> None:
    """Read, write, report."""
    if args.out.exists():
        raise ConfigError(f"--out {args.out} is there already", "a folder to make")
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
