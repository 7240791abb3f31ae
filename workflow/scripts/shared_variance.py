"""Say, without any label, how much of each target's variation its corpora hold."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from selfcell import job


def main(args: argparse.Namespace) -> None:
    import pandas as pd

    from selfcell.data.specs import CorpusSpec, named_paths, read_specs
    from selfcell.data.splits import read_splits
    from selfcell.data.store import Store
    from selfcell.stats.shared import SHARED
    from selfcell.tasks.shared_variance import rows

    paths = named_paths(args.stores, "--stores")
    stores = {name: Store.open(path) for name, path in paths.items()}
    corpora = read_specs(CorpusSpec, args.corpora, "--corpora")
    found = rows(json.loads(args.targets), corpora, stores, read_splits(args.splits))
    with job.atomic(args.out) as path:
        SHARED.write(pd.DataFrame(found, columns=SHARED.names), path)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stores", nargs="+", required=True, help="NAME=folder")
    parser.add_argument("--splits", type=Path, nargs="+", required=True)
    parser.add_argument("--corpora", required=True, help="JSON list of data.specs.CorpusSpec")
    parser.add_argument("--targets", required=True, help="JSON: target -> names of its corpora")
    parser.add_argument("--out", type=Path, required=True, help="table, parquet")
    job.run(main, parser)
