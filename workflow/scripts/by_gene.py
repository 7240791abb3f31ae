"""Reconstruction by gene and by gene programme: means over the runs of each arm."""

from __future__ import annotations

import argparse
from pathlib import Path

from selfcell import job


def main(args: argparse.Namespace) -> None:
    """Read the runs' tables by gene, average them, sum them up by programme."""
    from selfcell.data.vocabulary import read_vocabulary
    from selfcell.masks.gmt import read_gmt
    from selfcell.stats import by_gene, collect

    vocabulary, _ = read_vocabulary(args.vocabulary)
    symbols = dict(zip(vocabulary["gene_id"], vocabulary["symbol"], strict=True))
    folders = collect.read_folders(args.runs)
    genes = by_gene.genes([folder / "genes.parquet" for folder in folders], symbols)
    programmes = by_gene.programmes(genes, read_gmt(args.gene_sets) if args.gene_sets else {})
    for frame, out in ((genes, args.out_genes), (programmes, args.out_programmes)):
        with job.atomic(out) as path:
            frame.to_parquet(path, index=False, compression="zstd")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=Path, required=True, help="file: one run folder a line")
    parser.add_argument("--vocabulary", type=Path, required=True, help="vocabulary.parquet")
    parser.add_argument("--gene-sets", type=Path, help="GMT file; none: no programmes")
    parser.add_argument("--out-genes", type=Path, required=True, help="by gene, parquet")
    parser.add_argument("--out-programmes", type=Path, required=True, help="by programme, parquet")
    job.run(main, parser)
