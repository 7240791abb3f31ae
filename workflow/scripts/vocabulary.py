"""Choose the genes of the study on training cells, and report how each data set fits them."""

from __future__ import annotations

import argparse
import logging
from contextlib import ExitStack
from pathlib import Path

from selfcell import job

log = logging.getLogger("selfcell")


def main(args: argparse.Namespace) -> None:
    """Read all cells and splits, choose genes, write the vocabulary and the alignment."""
    from selfcell.data import vocabulary
    from selfcell.data.specs import CorpusSpec, VocabularySpec, named_paths, read_spec, read_specs
    from selfcell.data.splits import read_splits
    from selfcell.data.stored import on_disk
    from selfcell.errors import intact
    from selfcell.masks import gmt, tf_names

    paths = named_paths(args.cells, "--cells")
    cells, stack = {}, ExitStack()
    for name, path in paths.items():
        with intact(path):
            cells[name] = stack.enter_context(on_disk(Path(path)))
    corpora = read_specs(CorpusSpec, args.corpora, "--corpora")
    spec = read_spec(VocabularySpec, args.options, "--options")
    factors: list[str] = []
    if spec.transcription_factors and args.tft:
        resolution = tf_names.resolve(gmt.read_gmt(args.tft))
        factors = vocabulary.factors_with_targets(resolution.targets, cells)
        log.info("transcription factors: %s", resolution)
    splits = read_splits(args.splits)
    genes, chosen_on = vocabulary.choose(cells, corpora, splits, spec, factors)
    vocabulary.write_vocabulary(genes, chosen_on, args.out)
    with job.atomic(args.out_alignment) as temporary:
        vocabulary.alignment(cells, genes).to_parquet(temporary, index=False)
    stack.close()
    log.info("%d genes: %s", len(genes), genes.filter(regex="^(from|measured)_").sum().to_dict())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", nargs="+", required=True, help="NAME=cells.h5ad per data set")
    parser.add_argument("--splits", nargs="+", type=Path, required=True, help="all split files")
    parser.add_argument("--corpora", required=True, help="list of CorpusSpec as JSON")
    parser.add_argument("--options", default="{}", help="VocabularySpec as JSON")
    parser.add_argument("--tft", type=Path, help="MSigDB C3:TFT gene sets (GMT)")
    parser.add_argument("--out", type=Path, required=True, help="vocabulary.parquet")
    parser.add_argument("--out-alignment", type=Path, required=True, help="alignment.parquet")
    job.run(main, parser)
