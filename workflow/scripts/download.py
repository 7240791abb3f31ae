"""Fetch one data set, check it against its pin, and write it as h5ad."""

from __future__ import annotations

import argparse
from pathlib import Path

from selfcell import job


def main(args: argparse.Namespace) -> None:
    """Fetch, verify, and convert where the source is not a lone h5ad."""
    from selfcell.data.fetch import cache_dir, mirror_list
    from selfcell.data.readers import prepare
    from selfcell.data.registry import DatasetSpec

    spec = DatasetSpec.from_json(args.spec)
    with job.atomic(args.out) as temporary:
        prepare(spec, cache_dir(args.cache), mirror_list(args.mirror), temporary)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--spec", required=True, help="the data set, as JSON (DatasetSpec)")
    parser.add_argument("--cache", default="", help="default: $SELFCELL_CACHE, ~/.cache/selfcell")
    parser.add_argument("--mirror", action="append", default=[], help="folder or address; repeat")
    parser.add_argument("--out", required=True, type=Path, help="raw.h5ad")
    job.run(main, parser)
