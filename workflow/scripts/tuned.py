"""Choose each arm's learning rate and steps from the grid results."""

from __future__ import annotations

import argparse
from pathlib import Path

from selfcell import job

HEAD = """\
# Written by `make tune`: learning rate and steps of each fine-tuned arm, by mean macro-F1 on the
# development set (PBMC10k, never an annotation target): the fewest steps within one standard
# error of the best. few: 10 labels per type; all: the pool.
# `pretrained` serves methods without a grid of their own; scratch_long takes scratch's.
"""


def main(args: argparse.Namespace) -> None:
    import pandas as pd
    import yaml

    from selfcell.tasks.tune import choose

    chosen = choose([pd.read_csv(path) for path in args.results])
    with job.atomic(args.out) as path:
        path.write_text(HEAD + yaml.safe_dump(chosen, sort_keys=True, default_flow_style=None))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path, nargs="+", help="csv of rule tune; all arms, seeds")
    parser.add_argument("--out", type=Path, required=True, help="resources/tuning.yaml")
    job.run(main, parser)
