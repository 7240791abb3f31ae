"""Fine-tune one arm on one target, at each of its label regimes and draws."""

from __future__ import annotations

import argparse
from pathlib import Path

from selfcell import job


def main(args: argparse.Namespace) -> None:
    meter = job.Meter()
    import torch

    from selfcell.data.splits import read_split
    from selfcell.data.store import Store
    from selfcell.provenance import card, short_hash
    from selfcell.specs import FineTuneSpec
    from selfcell.tasks import annotate, model
    from selfcell.tasks.results import write_run

    torch.set_num_threads(args.threads)
    spec = FineTuneSpec.from_json(args.spec)
    store, split = Store.open(args.store), read_split(args.split)
    inputs = {"store": str(store.manifest["sha256"]), "split": split["hash"]}
    encoder, status = model.new_encoder(len(store.gene_ids), spec.network, spec.seed), "ok"
    if args.model:
        trained = model.load(args.model)
        annotate.require_genes(trained, store)
        encoder, status = trained.put_into(spec.network), trained.status
        inputs["model"] = trained.about["run_hash"]
    init = "pretrained" if args.model else "random"
    run_hash = short_hash(spec.model_dump(mode="json"), args.code, inputs)
    data = annotate.Data.read(store, split)
    frames = annotate.fine_tuned(spec, encoder, status, init, data, run_hash)
    about = card(
        rule="finetune", run_hash=run_hash, spec=spec.model_dump(mode="json"), inputs=inputs,
        code=args.code, seeds={"seed": spec.seed}, cost=meter.read(), threads=args.threads,
    )  # fmt: skip
    write_run(args.out, [frames], about)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--spec", required=True, help="JSON of selfcell.specs.FineTuneSpec")
    parser.add_argument("--model", type=Path, help="model folder; none: from scratch")
    parser.add_argument("--store", required=True, help="store of the target's data set")
    parser.add_argument("--split", required=True, help="split file")
    parser.add_argument("--code", default="", help="digest of the code, for the run's key")
    parser.add_argument("--out", type=Path, required=True, help="run folder to write")
    job.run(main, parser)
