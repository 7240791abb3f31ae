"""Evaluate one frozen model: every task that the study asks for, on all targets of its corpus."""

from __future__ import annotations

import argparse
from pathlib import Path

from selfcell import job


def main(args: argparse.Namespace) -> None:
    meter = job.Meter()
    import torch

    from selfcell.data.specs import named_paths
    from selfcell.data.splits import read_split
    from selfcell.data.store import Store
    from selfcell.metrics.integrate import library
    from selfcell.provenance import card, short_hash
    from selfcell.specs import FrozenSpec
    from selfcell.tasks import evaluate, model
    from selfcell.tasks.results import write_run

    torch.set_num_threads(args.threads)
    spec = FrozenSpec.from_json(args.spec)
    if spec.integrate:
        library()  # before any work, where it is not installed
    trained = model.load(args.model)
    paths = named_paths(sorted(set(args.store)), "--store")
    stores = {name: Store.open(path) for name, path in paths.items()}
    splits = [read_split(path) for path in args.split]
    asked = named_paths(args.query, "--query")
    queries = {name: read_split(path) for name, path in asked.items()}
    inputs = {"model": trained.about["run_hash"]}
    inputs |= {f"split {split['target']}": split["hash"] for split in splits}
    inputs |= {f"query of {name}": split["hash"] for name, split in queries.items()}
    run_hash = short_hash(spec.model_dump(mode="json"), args.code, inputs)
    found = evaluate.frozen(spec, trained, stores, splits, queries, run_hash)
    about = card(
        rule="frozen", run_hash=run_hash, spec=spec.model_dump(mode="json"), inputs=inputs,
        code=args.code, seeds={"seed": spec.seed}, cost=meter.read(), threads=args.threads,
    )  # fmt: skip
    write_run(args.out, found.frames, about, found.genes)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--spec", required=True, help="JSON of selfcell.specs.FrozenSpec")
    parser.add_argument("--model", type=Path, required=True, help="model folder")
    parser.add_argument("--store", action="append", required=True, help="NAME=folder; repeat")
    parser.add_argument("--split", action="append", required=True, help="split file; repeat")
    parser.add_argument("--query", action="append", default=[], help="UNSEEN=split file; repeat")
    parser.add_argument("--code", default="", help="digest of the code, for the run's key")
    parser.add_argument("--out", type=Path, required=True, help="run folder to write")
    job.run(main, parser)
