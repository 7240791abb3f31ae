"""Write the JSON schema of the configuration from the descriptions in the code."""

from __future__ import annotations

import argparse
from pathlib import Path

from selfcell import job


def main(args: argparse.Namespace) -> None:
    """Collect and write."""
    import yaml

    from selfcell.config import schema

    text = yaml.safe_dump(schema(), sort_keys=False, width=100, allow_unicode=True)
    with job.atomic(args.out) as path:
        path.write_text("# Written by `make schema` from src/selfcell/config.py.\n" + text)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="config.schema.yaml")
    job.run(main, parser)
