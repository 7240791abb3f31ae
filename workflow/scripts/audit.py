"""Stop the study if anything of a test cell reaches training; otherwise report the checks."""

from __future__ import annotations

import argparse
from pathlib import Path

from selfcell import job


def main(args: argparse.Namespace) -> None:
    """Read stores, splits and vocabulary, audit the corpora, write the report."""
    from selfcell.data.corpus import select
    from selfcell.data.leakage import audit
    from selfcell.data.specs import CorpusSpec, named_paths, read_specs
    from selfcell.data.splits import read_splits
    from selfcell.data.store import Store
    from selfcell.data.vocabulary import read_vocabulary

    paths = named_paths(args.stores, "--stores")
    stores = {name: Store.open(path) for name, path in paths.items()}
    obs = {name: store.obs for name, store in stores.items()}
    splits = read_splits(args.splits)
    corpora = read_specs(CorpusSpec, args.corpora, "--corpora")
    ids = {corpus.name: select(corpus, obs, splits).ids for corpus in corpora}
    _, chosen_on = read_vocabulary(args.vocabulary)
    job.write_json(audit(corpora, ids, splits, stores, chosen_on), args.out)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stores", nargs="+", required=True, help="NAME=folder per data set")
    parser.add_argument("--splits", nargs="+", type=Path, required=True, help="all split files")
    parser.add_argument("--corpora", required=True, help="list of CorpusSpec as JSON")
    parser.add_argument("--vocabulary", type=Path, required=True, help="vocabulary.parquet")
    parser.add_argument("--out", type=Path, required=True, help="report as JSON")
    job.run(main, parser)
