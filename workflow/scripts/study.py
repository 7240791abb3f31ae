"""Print a study's name, once all of its configuration is found right: `make study` begins so."""

from __future__ import annotations

import argparse
from pathlib import Path

from selfcell import job


def main(args: argparse.Namespace) -> None:
    from selfcell.config import load_config
    from selfcell.study import Study

    print(Study(load_config(args.config)).config.study)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="configuration, YAML")
    job.run(main, parser)
