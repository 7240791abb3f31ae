"""Divide a target's cells into training pool and test set, and draw the labels."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

from selfcell import job

log = logging.getLogger("selfcell")


def main(args: argparse.Namespace) -> None:
    """Read the cells' columns, make the split, write it as JSON."""
    import anndata

    from selfcell.data.specs import LabelSpec, SplitSpec, read_spec
    from selfcell.data.splits import make_split
    from selfcell.data.store_format import OBS
    from selfcell.errors import intact

    spec = read_spec(SplitSpec, args.spec, "--spec")
    labels = read_spec(LabelSpec, args.labels, "--labels")
    with intact(args.cells):
        obs = anndata.read_h5ad(args.cells, backed="r").obs[list(OBS)].astype(str)
    split = make_split(obs, spec, labels)
    job.write_json(split, args.out)
    log.info(
        "%s: %d pool cells, %d test cells, %d types",
        spec.target,
        len(split["pool"]),
        len(split["test"]),
        len(split["classes"]),
    )
    for row in split["left_out"]:
        log.info("left out %(label)s: %(reason)s (pool %(n_pool)d, test %(n_test)d)", row)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", type=Path, required=True, help="cells.h5ad of the data set")
    parser.add_argument("--spec", required=True, help="SplitSpec as JSON")
    parser.add_argument("--labels", default="{}", help="LabelSpec as JSON")
    parser.add_argument("--out", type=Path, required=True, help="split as JSON")
    job.run(main, parser)
