"""Write the generated parts of README.md and of docs; `make readme` starts it."""

from __future__ import annotations

import argparse
from pathlib import Path

from selfcell import job


def main(args: argparse.Namespace) -> None:
    """Everything between the marks comes from results/released and the project's own files."""
    from tqdm import tqdm

    from selfcell import catalogue, deviations, findings, readme
    from selfcell.config import REGISTRY, load_config
    from selfcell.data.registry import Registry
    from selfcell.study import Study

    study = Study(load_config(args.root / "config.yaml"))
    pages = {
        "README.md": lambda: readme.parts(args.root, study, Registry.load(REGISTRY)),
        "docs/deviations.md": lambda: deviations.parts(args.root),
        "docs/figures.md": lambda: catalogue.figures(args.root),
        "docs/findings.md": lambda: findings.parts(args.root),
        "docs/methods.md": lambda: {"methods": catalogue.method_pages()},
    }
    for name, parts in tqdm(pages.items(), unit="page"):
        page = args.root / name
        text = readme.fill(page.read_text(encoding="utf-8"), parts())
        with job.atomic(page) as path:
            path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, default=Path(), help="of the checkout")
    job.run(main, parser)
