"""Describe a model folder in Markdown."""

from __future__ import annotations

import argparse
from pathlib import Path

from selfcell.cli import common


def parser() -> argparse.ArgumentParser:
    """Options of `selfcell card`."""
    made = common.make_parser(
        "card",
        "Describe a model folder: what it was trained on, whether it learned, its genes, its "
        "licence, how to load it. Checks that the folder is whole.",
        "selfcell card model > CARD.md",
    )
    common.add_model(made)
    return made


def main(args: argparse.Namespace) -> None:
    """Read and print; with `--json`, model.json as it stands."""
    from selfcell.api import load
    from selfcell.modelcard import markdown

    about = load(args.model).trained.about
    if args.json:
        common.show(about, True)
    else:
        print(markdown(about, Path(args.model).name))
