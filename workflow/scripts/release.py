"""Copy the small files of a finished study to results/released; `make release` starts it."""

from __future__ import annotations

import argparse
from pathlib import Path

from selfcell import job


def main(args: argparse.Namespace) -> None:
    """Check and copy all, then put the folder in place at once."""
    from selfcell.config import load_config
    from selfcell.data.fetch import cache_dir
    from selfcell.release import release
    from selfcell.study import Study

    study = Study(load_config(args.config))
    name = study.config.study
    with job.atomic(args.to / name) as folder:
        folder.mkdir()
        release(study, args.config, args.results / name, folder, cache_dir(args.cache))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path, default=Path("config.yaml"), help="of the study")
    parser.add_argument("--results", type=Path, default=Path("results"))
    parser.add_argument("--to", type=Path, default=Path("results/released"))
    parser.add_argument("--cache", default="", help="default: $SELFCELL_CACHE, ~/.cache/selfcell")
    job.run(main, parser)
