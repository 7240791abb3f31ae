"""Gather scores, predictions, costs and provenance of a study's runs; score them by lineage."""

from __future__ import annotations

import argparse
from pathlib import Path

from selfcell import job


def main(args: argparse.Namespace) -> None:
    import pandas as pd

    from selfcell.data.specs import named_paths
    from selfcell.metrics import ontology
    from selfcell.stats import collect, lineage, table
    from selfcell.stats.health import HEALTH, health
    from selfcell.stats.predictions import COSTS, PREDICTIONS, read_truths

    evaluated = collect.read_folders(args.runs)
    scores, predictions = collect.scores(evaluated), collect.predictions(evaluated)
    placed = {}
    if args.ontology:
        truths, labels = read_truths(args.split), lineage.read_labels(args.labels)
        keys = named_paths(args.key, "--key")
        placed = lineage.place(truths, keys, labels, ontology.read(args.ontology))
        more = lineage.rows(scores, predictions, truths, placed)
        scores = pd.concat([scores, more], ignore_index=True)
    job.write_json(lineage.report(placed), args.lineage)
    with job.atomic(args.scores) as path:
        table.write(scores, path)
    with job.atomic(args.predictions) as path:
        PREDICTIONS.write(predictions, path)
    models = collect.read_folders(args.models) if args.models else []
    with job.atomic(args.health) as path:
        HEALTH.write(health(models), path)
    cards = collect.cards([*models, *evaluated])
    with job.atomic(args.costs) as path:
        COSTS.write(collect.costs(cards), path)
    job.write_json(collect.provenance(cards), args.provenance)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=Path, required=True, help="file: one run folder a line")
    parser.add_argument("--models", type=Path, help="file: one model folder a line")
    parser.add_argument("--ontology", type=Path, help="Cell Ontology; none: no lineage scores")
    parser.add_argument("--labels", type=Path, help="JSON: data set -> label -> ontology id")
    parser.add_argument("--key", action="append", default=[], help="TARGET=data set in --labels")
    parser.add_argument("--split", action="append", default=[], help="split file; repeat")
    parser.add_argument("--lineage", type=Path, required=True, help="terms of the labels, as JSON")
    parser.add_argument("--scores", type=Path, required=True)
    parser.add_argument("--predictions", type=Path, required=True)
    parser.add_argument("--costs", type=Path, required=True)
    parser.add_argument("--health", type=Path, required=True, help="what each model is like")
    parser.add_argument("--provenance", type=Path, required=True)
    job.run(main, parser)
