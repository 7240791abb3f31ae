"""Quality control of one data set: canonical cells, a table of every cell, a summary."""

from __future__ import annotations

import argparse
import json
from contextlib import ExitStack
from pathlib import Path

from selfcell import job


def main(args: argparse.Namespace) -> None:
    """Read, check, map genes, filter cells, write."""
    from selfcell.data.genes import GeneTable
    from selfcell.data.h5ad import H5adWriter
    from selfcell.data.own import raw_counts
    from selfcell.data.parse import parse_json
    from selfcell.data.qc import Limits, qc
    from selfcell.data.registry import DatasetSpec

    spec = DatasetSpec.from_json(args.spec)
    limits = parse_json(Limits, args.limits, "--limits")
    ontology = json.loads(args.ontology.read_text(encoding="utf-8"))
    table = GeneTable.from_csv(args.genes)
    with ExitStack() as stack:
        matrix = stack.enter_context(raw_counts(args.raw, spec))
        temporary = stack.enter_context(job.atomic(args.out_cells))
        result = qc(
            *(matrix, table, limits, ontology),
            lambda n_genes: stack.enter_context(H5adWriter(temporary, n_genes)),
        )
    with job.atomic(args.out_table) as temporary:
        result.table.to_parquet(temporary, index=False)
    job.write_json(result.summary, args.out_summary)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--raw", required=True, type=Path, help="raw.h5ad of rule download")
    parser.add_argument("--spec", required=True, help="the data set, as JSON (DatasetSpec)")
    parser.add_argument("--genes", required=True, type=Path, help="gene table of rule reference")
    parser.add_argument("--ontology", required=True, type=Path, help="label_to_cl.json")
    parser.add_argument("--limits", default="{}", help="JSON of what a cell must pass")
    parser.add_argument("--out-cells", required=True, type=Path, help="cells.h5ad")
    parser.add_argument("--out-table", required=True, type=Path, help="qc.parquet")
    parser.add_argument("--out-summary", required=True, type=Path, help="qc.json")
    job.run(main, parser)
