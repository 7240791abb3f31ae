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
    shown = "baron, 2,142 cells of a human pancreas, four people, labelled; 16 MB"
    which = "a data set of resources/datasets.yaml"
    common.option(made, "--dataset", "NAME", which, "pbmc3k", default="baron", shown=shown)
    out = "file to write (.h5ad)"
    common.option(made, "--out", "PATH", out, "pancreas.h5ad", kind=Path, required=True)
    return made


def main(args: argparse.Namespace) -> None:
    """Fetch, write, report."""
    from selfcell import job
    from selfcell.config import REGISTRY
    from selfcell.data.fetch import cache_dir, mirror_list
    from selfcell.data.parse import nearest
    from selfcell.data.readers import prepare
    from selfcell.data.registry import Registry

    common.require_free(args.out)
    if args.out.suffix != ".h5ad":
        raise ConfigError(f"--out {args.out}", "a name that ends in .h5ad")
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
