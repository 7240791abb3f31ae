"""Take a ready model into the study: read it whole, and keep a copy of what is scored."""

from __future__ import annotations

import argparse
from pathlib import Path

from selfcell import job


def main(args: argparse.Namespace) -> None:
    """Read, check, write."""
    from selfcell.tasks.adopt import adopt

    with job.atomic(args.out) as folder:
        adopt(args.model, folder)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True, help="model folder, of any format")
    parser.add_argument("--out", type=Path, required=True, help="model folder to write")
    job.run(main, parser)
