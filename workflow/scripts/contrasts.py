"""Compare the study's arms: contrasts with intervals, and whether to pre-train."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from selfcell import job


def main(args: argparse.Namespace) -> None:
    from selfcell.stats import by_type, contrasts, pretrain, table, tasks
    from selfcell.stats.predictions import COSTS, PREDICTIONS, read_truths
    from selfcell.stats.shared import SHARED

    spec = contrasts.Spec.parse(json.loads(args.spec))
    scores, predictions = table.read(args.scores), PREDICTIONS.read(args.predictions)
    truths = read_truths(args.splits)
    with job.atomic(args.out) as path:
        frame = contrasts.contrast_table(scores, predictions, truths, spec)
        contrasts.CONTRASTS.write(frame, path)
    with job.atomic(args.tasks) as path:
        contrasts.CONTRASTS.write(tasks.task_table(scores, spec), path)
    with job.atomic(args.types) as path:
        by_type.TYPE_CHANGES.write(by_type.changes(scores, truths, spec), path)
    costs, shared = COSTS.read(args.costs), SHARED.read(args.shared)
    with job.atomic(args.verdicts) as path:
        frame = pretrain.verdict_table(scores, predictions, costs, shared, truths, spec)
        pretrain.VERDICTS.write(frame, path)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scores", type=Path, required=True)
    parser.add_argument("--predictions", type=Path, required=True)
    parser.add_argument("--costs", type=Path, required=True)
    parser.add_argument("--splits", type=Path, required=True, nargs="+", help="split files")
    parser.add_argument("--shared", type=Path, required=True, help="shared variance, parquet")
    parser.add_argument("--spec", default="{}", help="JSON: stats.contrasts.Spec")
    parser.add_argument("--out", type=Path, required=True, help="contrasts, parquet")
    parser.add_argument("--tasks", type=Path, required=True, help="other tasks' contrasts, parquet")
    parser.add_argument("--types", type=Path, required=True, help="changes by type, parquet")
    parser.add_argument("--verdicts", type=Path, required=True, help="verdicts, parquet")
    job.run(main, parser)
