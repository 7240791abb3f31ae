"""Hold the paper's claims against its own runs and against the study's."""

from __future__ import annotations

import argparse
from pathlib import Path

from selfcell import job


def main(args: argparse.Namespace) -> None:
    from selfcell.claims import load
    from selfcell.stats import claims, table
    from selfcell.stats.by_type import TYPE_CHANGES
    from selfcell.stats.contrasts import CONTRASTS

    ours = claims.Ours(
        CONTRASTS.read(args.contrasts), table.read(args.scores), TYPE_CHANGES.read(args.types)
    )
    frame = claims.ledger(load(args.claims), ours, args.study, args.published)
    with job.atomic(args.out) as path:
        claims.CLAIMS.write(frame, path)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--claims", type=Path, required=True, help="claims, YAML")
    parser.add_argument("--published", type=Path, required=True, help="folder of published tables")
    parser.add_argument("--contrasts", type=Path, required=True)
    parser.add_argument("--scores", type=Path, required=True)
    parser.add_argument("--types", type=Path, required=True, help="changes by type, parquet")
    parser.add_argument("--study", required=True, help="its name")
    parser.add_argument("--out", type=Path, required=True, help="ledger, parquet")
    job.run(main, parser)
