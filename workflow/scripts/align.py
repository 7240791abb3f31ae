"""Put a data set's cells into the genes of a ready model."""

from __future__ import annotations

import argparse
from pathlib import Path

from selfcell import job


def main(args: argparse.Namespace) -> None:
    """Read model, counts and the cells that passed quality control; write store and report."""
    import anndata

    from selfcell.data.foreign import Genes, align
    from selfcell.data.own import raw_counts
    from selfcell.data.registry import DatasetSpec
    from selfcell.errors import intact
    from selfcell.tasks.model import load

    trained, spec = load(args.model), DatasetSpec.from_json(args.spec)
    with intact(args.cells):
        obs = anndata.read_h5ad(args.cells, backed="r").obs
    genes = Genes(trained.gene_ids, trained.symbols, trained.scaled_by_own_genes)
    with raw_counts(args.raw, spec) as matrix:
        report = align(matrix, obs, genes, args.out, args.min_found)
    job.write_json(report, args.out_report)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--raw", type=Path, required=True, help="raw.h5ad of rule download")
    parser.add_argument("--cells", type=Path, required=True, help="cells.h5ad of rule qc")
    parser.add_argument("--spec", required=True, help="the data set, as JSON (DatasetSpec)")
    parser.add_argument("--model", type=Path, required=True, help="model folder")
    parser.add_argument("--min-found", type=float, required=True, help="share of its genes needed")
    parser.add_argument("--out", type=Path, required=True, help="folder of the store")
    parser.add_argument("--out-report", type=Path, required=True, help="what became of the genes")
    job.run(main, parser)
