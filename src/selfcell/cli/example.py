"""Write a public data set of the study as h5ad, to try the commands on."""

from __future__ import annotations

import argparse
from pathlib import Path

from selfcell.cli import common
from selfcell.errors import ConfigError


def parser() -> argparse.ArgumentParser:
    """Options of `selfcell example`."""
    made = common.make_parser(
        "example",
        "Write a public data set of the study as h5ad, to try the commands on. It is downloaded "
        "once, compared with its sha256, and kept in the cache.",
        "selfcell example --out pancreas.h5ad",
    )
    made.add_argument(
        "--dataset", default="baron", metavar="NAME",
        help="a data set of resources/datasets.yaml (default %(default)s: 2,142 cells of a human "
        "pancreas, four people, labelled; 16 MB), e.g. --dataset pbmc3k",
    )  # fmt: skip
    made.add_argument(
        "--out", type=Path, required=True, metavar="PATH",
        help="file to write (.h5ad); required, no default, e.g. --out pancreas.h5ad",
    )  # fmt: skip
    return made


def main(args: argparse.Namespace) -> None:
    """Fetch, write, report."""
    from selfcell import job
    from selfcell.config import REGISTRY
    from selfcell.data.fetch import cache_dir, mirror_list
    from selfcell.data.parse import nearest
    from selfcell.data.readers import prepare
    from selfcell.data.registry import Registry

    if args.out.suffix != ".h5ad" or args.out.exists():
        raise ConfigError(f"--out {args.out}", "a name that ends in .h5ad and is free")
    datasets = Registry.load(REGISTRY).datasets
    if args.dataset not in datasets:
        got = f"--dataset {args.dataset} is none of the registry"
        raise ConfigError(got, nearest(args.dataset, datasets))
    spec = datasets[args.dataset]
    with job.atomic(args.out) as temporary:
        prepare(spec, cache_dir(), mirror_list(), temporary)
    roles = {"label": spec.label, "donor": spec.donor, "batch": spec.batch}
    report = {"out": str(args.out), "title": spec.title, **roles, "licence": spec.licence}
    common.show(report | {"citation": spec.citation}, args.json)
