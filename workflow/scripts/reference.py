"""Fetch one reference: the gene table (as CSV), the Cell Ontology, or a gene-set collection."""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

from selfcell import job


def main(args: argparse.Namespace) -> None:
    """Fetch and verify; the gene table is joined with the symbols of an earlier annotation."""
    from selfcell.data.fetch import cache_dir, mirror_list, obtain
    from selfcell.data.genes import build
    from selfcell.data.registry import Registry

    reference = Registry.load(args.registry).reference(args.name)
    cache, mirrors = cache_dir(args.cache), mirror_list(args.mirror)
    path = obtain(reference.source, cache, mirrors)
    with job.atomic(args.out) as temporary:
        if args.name == "genes":
            source = None if args.current else reference.earlier
            earlier = obtain(source, cache, mirrors) if source else None
            # without a time stamp, so that the same table has the same bytes
            how = {"method": "gzip", "mtime": 0}
            build(path, earlier, reference).to_csv(temporary, index=False, compression=how)
        else:
            shutil.copyfile(path, temporary)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--name", required=True, help="its name in the registry")
    parser.add_argument("--registry", required=True, type=Path, help="resources/datasets.yaml")
    parser.add_argument("--current", action="store_true", help="leave out former gene symbols")
    parser.add_argument("--cache", default="", help="default: $SELFCELL_CACHE, ~/.cache/selfcell")
    parser.add_argument("--mirror", action="append", default=[], help="folder or address; repeat")
    parser.add_argument("--out", required=True, type=Path, help="file to write")
    job.run(main, parser)
