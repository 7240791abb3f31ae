"""Divide the cells of a protein target into training and test cells, and draw training cells."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

from selfcell import job

log = logging.getLogger("selfcell")


def main(args: argparse.Namespace) -> None:
    """Read the cells' columns and the proteins' names, make the split, write it as JSON."""
    import anndata

    from selfcell.data.protein_split import ProteinSplit, make_split
    from selfcell.data.specs import named_paths, read_spec
    from selfcell.data.store_format import OBS

    spec = read_spec(ProteinSplit, args.spec, "--spec")
    obs, proteins = {}, {}
    for name, path in named_paths(args.cells, "--cells").items():
        cells = anndata.read_h5ad(path, backed="r")
        obs[name] = cells.obs[list(OBS)].astype(str)
        proteins[name] = list(cells.obsm["protein"].columns) if "protein" in cells.obsm else []
    split = make_split(spec, obs, proteins)
    job.write_json(split, args.out)
    log.info(
        "%s: %d training cells, %d test cells, %d proteins: %s",
        spec.name, len(split["pool"]), len(split["test"]), len(split["proteins"]),
        ", ".join(split["proteins"]),
    )  # fmt: skip


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", nargs="+", required=True, help="NAME=cells.h5ad per data set")
    parser.add_argument("--spec", required=True, help="ProteinSplit as JSON")
    parser.add_argument("--out", type=Path, required=True, help="split as JSON")
    job.run(main, parser)
