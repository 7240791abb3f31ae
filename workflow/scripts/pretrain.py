"""Pre-train one method on one corpus with one seed."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from selfcell import job


def main(args: argparse.Namespace) -> None:
    meter = job.Meter()
    import pandas as pd

    from selfcell.data.corpus import Corpus
    from selfcell.data.splits import read_split
    from selfcell.data.store import open_stores
    from selfcell.masks.gmt import read_gmt
    from selfcell.provenance import card, short_hash
    from selfcell.specs import PretrainSpec
    from selfcell.tasks.model import save
    from selfcell.tasks.pretrain import pretrain
    from selfcell.train import distributed

    spec = PretrainSpec.from_json(args.spec)
    distributed.enter(sys.argv, spec.processes, args.nodes, args.threads)
    stores, inputs = open_stores(args.store)
    splits = {split["target"]: split for split in map(read_split, args.split)}
    corpus = Corpus.build(spec.corpus, stores, splits)
    inputs |= {f"split {name}": split["hash"] for name, split in splits.items()}
    run_hash = short_hash(spec.model_dump(mode="json"), args.code, inputs)
    state = distributed.SharedState(args.state / f"{run_hash}.safetensors", run_hash)
    result = pretrain(spec, corpus, read_gmt(args.gene_sets) if args.gene_sets else {}, state)
    cost = distributed.leave_but_first(meter.read())
    with job.atomic(args.out) as folder:
        notes = {"corpus": dict(corpus.report), "inputs": inputs, "run_hash": run_hash}
        save(folder, result.method, spec, corpus.genes, result.health, notes | result.notes())
        pd.DataFrame(result.history).to_parquet(folder / "history.parquet", index=False)
        about = card(
            rule="pretrain", run_hash=run_hash, spec=spec.model_dump(mode="json"), inputs=inputs,
            code=args.code, seeds={"seed": spec.seed}, cost=cost, threads=args.threads,
        )  # fmt: skip
        job.write_json(about, folder / "card.json")
    state.discard()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--spec", required=True, help="JSON of selfcell.specs.PretrainSpec")
    parser.add_argument("--store", action="append", required=True, help="NAME=folder; repeat")
    parser.add_argument("--split", action="append", default=[], help="split file; repeat")
    parser.add_argument("--gene-sets", type=Path, help="GMT file, where the method needs one")
    parser.add_argument("--code", default="", help="digest of the code, for the run's key")
    parser.add_argument("--state", type=Path, required=True, help="folder of resumable states")
    parser.add_argument("--nodes", type=int, default=1, help="that share the processes")
    parser.add_argument("--out", type=Path, required=True, help="model folder to write")
    job.run(main, parser)
