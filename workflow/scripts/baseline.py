"""Score every baseline of one target, at each of its label regimes and draws."""

from __future__ import annotations

import argparse
from pathlib import Path

from selfcell import job


def main(args: argparse.Namespace) -> None:
    meter = job.Meter()
    import torch

    from selfcell.baselines import reconstruct
    from selfcell.baselines.base import run_baselines
    from selfcell.data.splits import read_splits
    from selfcell.data.store import open_stores
    from selfcell.provenance import card, short_hash
    from selfcell.specs import BaselineSpec
    from selfcell.tasks import rivals
    from selfcell.tasks.results import write_run

    torch.set_num_threads(args.threads)
    spec = BaselineSpec.from_json(args.spec)
    stores, inputs = open_stores(args.store)
    splits = read_splits(args.split)
    inputs |= {f"split {name}": split["hash"] for name, split in splits.items()}
    run_hash = short_hash(spec.model_dump(mode="json"), args.code, inputs)
    seeds = {f"seed {i}": seed for i, seed in enumerate(spec.seeds)}
    data = rivals.inputs(spec, stores, splits, run_hash)
    frames, genes = [run_baselines(spec.baselines, data, spec.readouts, progress=True)], None
    if spec.reconstruction is not None:
        split = splits[spec.target]
        rows = list(reconstruct.rivals(spec, stores[split["dataset"]], split, run_hash))
        frames, genes = frames + [each.frames() for each in rows], [each.genes() for each in rows]
    about = card(
        rule="baseline", run_hash=run_hash, spec=spec.model_dump(mode="json"), inputs=inputs,
        code=args.code, seeds=seeds, cost=meter.read(), threads=args.threads,
    )  # fmt: skip
    write_run(args.out, frames, about, genes)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--spec", required=True, help="JSON of selfcell.specs.BaselineSpec")
    parser.add_argument("--store", action="append", required=True, help="NAME=folder; repeat")
    parser.add_argument("--split", action="append", required=True, help="split file; repeat")
    parser.add_argument("--code", default="", help="digest of the code, for the run's key")
    parser.add_argument("--out", type=Path, required=True, help="run folder to write")
    job.run(main, parser)
