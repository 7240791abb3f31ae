"""Let one autoencoder, or the same from scratch, go on learning to reconstruct, on each target."""

from __future__ import annotations

import argparse
from pathlib import Path

from selfcell import job


def main(args: argparse.Namespace) -> None:
    meter = job.Meter()
    import torch

    from selfcell.data.splits import read_split
    from selfcell.data.store import open_stores
    from selfcell.provenance import card, short_hash
    from selfcell.specs import ReconstructSpec
    from selfcell.tasks import annotate, autoencoder, model
    from selfcell.tasks.results import write_run

    torch.set_num_threads(args.threads)
    spec = ReconstructSpec.from_json(args.spec)
    stores, inputs = open_stores(sorted(set(args.store)))
    splits = [read_split(path) for path in args.split]
    inputs |= {f"split {split['target']}": split["hash"] for split in splits}
    trained = model.load(args.model) if args.model else None
    if trained:
        inputs["model"] = trained.about["run_hash"]
    run_hash = short_hash(spec.model_dump(mode="json"), args.code, inputs)
    rows = []
    for split in splits:
        store = stores[split["dataset"]]
        if trained:
            annotate.require_genes(trained, store)
        rows.append(autoencoder.fine_tuned(spec, trained, store, split, run_hash))
    about = card(
        rule="reconstruct", run_hash=run_hash, spec=spec.model_dump(mode="json"), inputs=inputs,
        code=args.code, seeds={"seed": spec.seed}, cost=meter.read(), threads=args.threads,
    )  # fmt: skip
    write_run(args.out, [own.frames() for own in rows], about, [own.genes() for own in rows])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--spec", required=True, help="JSON of selfcell.specs.ReconstructSpec")
    parser.add_argument("--model", type=Path, help="model folder; none: from scratch")
    parser.add_argument("--store", action="append", required=True, help="NAME=folder; repeat")
    parser.add_argument("--split", action="append", required=True, help="split file; repeat")
    parser.add_argument("--code", default="", help="digest of the code, for the run's key")
    parser.add_argument("--out", type=Path, required=True, help="run folder to write")
    job.run(main, parser)
