"""Every run of the arms that the paper compares: input table and figure."""

from __future__ import annotations

import argparse

from selfcell import job
from selfcell.figures import command


def main(args: argparse.Namespace) -> None:
    from selfcell.figures import arms

    command.make(arms, args)


if __name__ == "__main__":
    job.run(main, command.parser(__doc__))
