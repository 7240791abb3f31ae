"""Gather the scores, predictions, costs and provenance of a study's runs."""

from __future__ import annotations

import argparse
from pathlib import Path

from selfcell import job


def main(args: argparse.Namespace) -> None:
    from selfcell.stats import collect, table
    from selfcell.stats.predictions import COSTS, PREDICTIONS

    evaluated = collect.read_folders(args.runs)
    with job.atomic(args.scores) as path:
        table.write(collect.scores(evaluated), path)
    with job.atomic(args.predictions) as path:
        PREDICTIONS.write(collect.predictions(evaluated), path)
    models = collect.read_folders(args.models) if args.models else []
    cards = collect.cards([*models, *evaluated])
    with job.atomic(args.costs) as path:
        COSTS.write(collect.costs(cards), path)
    job.write_json(collect.provenance(cards), args.provenance)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=Path, required=True, help="file: one run folder a line")
    parser.add_argument("--models", type=Path, help="file: one model folder a line (cards only)")
    parser.add_argument("--scores", type=Path, required=True)
    parser.add_argument("--predictions", type=Path, required=True)
    parser.add_argument("--costs", type=Path, required=True)
    parser.add_argument("--provenance", type=Path, required=True)
    job.run(main, parser)
