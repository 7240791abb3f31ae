"""Make the small input table of one figure."""

from __future__ import annotations

import argparse
from pathlib import Path

from selfcell import job


def main(args: argparse.Namespace) -> None:
    from selfcell.figures import module, write_table

    frame = module(args.name).table(args.files)
    with job.atomic(args.out) as path:
        write_table(frame, path)


if __name__ == "__main__":
    from selfcell.figures import FIGURES

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--name", required=True, choices=sorted(FIGURES), help="figure")
    parser.add_argument("--out", type=Path, required=True, help="table, csv")
    parser.add_argument("files", type=Path, nargs="+", help="inputs, as the figure's module says")
    job.run(main, parser)
