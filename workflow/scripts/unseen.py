"""Score every rival from one study to the cells of another, with genes missing."""

from __future__ import annotations

import argparse
from pathlib import Path

from selfcell import job


def main(args: argparse.Namespace) -> None:
    meter = job.Meter()
    import torch

    from selfcell.baselines.unseen import rivals
    from selfcell.data.splits import read_split
    from selfcell.data.store import open_stores
    from selfcell.provenance import card, short_hash
    from selfcell.specs import UnseenSpec
    from selfcell.tasks import unseen
    from selfcell.tasks.results import write_run

    torch.set_num_threads(args.threads)
    spec, query = UnseenSpec.from_json(args.spec), read_split(args.split)
    stores, inputs = open_stores(args.store)
    inputs["split"] = query["hash"]
    run_hash = short_hash(spec.model_dump(mode="json"), args.code, inputs)
    seeds = {f"seed {i}": seed for i, seed in enumerate(spec.seeds)}
    data = unseen.Data.read(spec.target, spec.cells, stores, query)
    frames = [rows.frames() for rows in rivals(spec, data, run_hash)]
    about = card(
        rule="unseen", run_hash=run_hash, spec=spec.model_dump(mode="json"), inputs=inputs,
        code=args.code, seeds=seeds, cost=meter.read(), threads=args.threads,
    )  # fmt: skip
    write_run(args.out, frames, about)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--spec", required=True, help="JSON of selfcell.specs.UnseenSpec")
    parser.add_argument("--store", action="append", required=True, help="NAME=folder; repeat")
    parser.add_argument("--split", required=True, help="split file of the query's target")
    parser.add_argument("--code", default="", help="digest of the code, for the run's key")
    parser.add_argument("--out", type=Path, required=True, help="run folder to write")
    job.run(main, parser)
