"""Write a data set's cells, cut to the vocabulary, as a compact checksummed store."""

from __future__ import annotations

import argparse
from pathlib import Path

from selfcell import job


def main(args: argparse.Namespace) -> None:
    """Read cells and vocabulary, write the store."""
    import anndata

    from selfcell.data.vocabulary import read_vocabulary
    from selfcell.data.writer import write_store
    from selfcell.errors import intact

    genes, _ = read_vocabulary(args.vocabulary)
    with intact(args.cells):
        cells = anndata.read_h5ad(args.cells, backed="r")  # written in a stream
    write_store(cells, genes, args.out)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", type=Path, required=True, help="cells.h5ad of the data set")
    parser.add_argument("--vocabulary", type=Path, required=True, help="vocabulary.parquet")
    parser.add_argument("--out", type=Path, required=True, help="folder of the store")
    job.run(main, parser)
