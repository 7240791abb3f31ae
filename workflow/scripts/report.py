"""Write the report of a study: one HTML file that opens offline."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from selfcell import job


def main(args: argparse.Namespace) -> None:
    from selfcell.report.page import render

    page = render(json.loads(args.about), args.results, args.captions)
    with job.atomic(args.out) as path:
        path.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--about", required=True, help="what `report.about` says, JSON")
    parser.add_argument("--results", type=Path, required=True, help="folder of the study")
    parser.add_argument("--captions", type=Path, nargs="+", required=True, help="in order")
    parser.add_argument("--out", type=Path, required=True, help="page to write")
    job.run(main, parser)
