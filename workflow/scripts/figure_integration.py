"""Data integration, arm by arm: input table and figure."""

from __future__ import annotations

import argparse

from selfcell import job
from selfcell.figures import command


def main(args: argparse.Namespace) -> None:
    from selfcell.figures import integration

    command.make(integration, args)


if __name__ == "__main__":
    job.run(main, command.parser(__doc__))
