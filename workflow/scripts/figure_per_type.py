"""Change of F1 of each cell type: input table and figure."""

from __future__ import annotations

import argparse

from selfcell import job
from selfcell.figures import command


def main(args: argparse.Namespace) -> None:
    from selfcell.figures import per_type

    command.make(per_type, args)


if __name__ == "__main__":
    job.run(main, command.parser(__doc__))
