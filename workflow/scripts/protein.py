"""Fine-tune one arm on one protein target, at its regimes and draws; or score all rivals there."""

from __future__ import annotations

import argparse
from pathlib import Path

from selfcell import job


def main(args: argparse.Namespace) -> None:
    meter = job.Meter()
    import torch

    from selfcell.baselines.protein import rivals
    from selfcell.data.splits import read_split
    from selfcell.data.store import open_stores
    from selfcell.provenance import card, short_hash
    from selfcell.specs import RIVALS, ProteinSpec
    from selfcell.tasks import annotate, model, protein, protein_head
    from selfcell.tasks.results import write_run

    torch.set_num_threads(args.threads)
    spec, split = ProteinSpec.from_json(args.spec), read_split(args.split)
    stores, inputs = open_stores(args.store)
    inputs["split"] = split["hash"]
    genes = stores[split["dataset"]]
    encoder, status = model.new_encoder(len(genes.gene_ids), spec.network, spec.seed), "ok"
    if args.model:
        trained = model.load(args.model)
        annotate.require_genes(trained, genes)
        encoder, status = trained.put_into(spec.network), trained.status
        inputs["model"] = trained.about["run_hash"]
    run_hash = short_hash(spec.model_dump(mode="json"), args.code, inputs)
    data = protein.Data.read(stores, split, spec.normalisation)
    if spec.method == RIVALS:
        arms = list(rivals(spec, data, run_hash))
    else:
        init = "pretrained" if args.model else "random"
        arms = [protein_head.fine_tuned(spec, encoder, status, init, data, run_hash)]
    about = card(
        rule="protein", run_hash=run_hash, spec=spec.model_dump(mode="json"), inputs=inputs,
        code=args.code, seeds={"seed": spec.seed}, cost=meter.read(), threads=args.threads,
    )  # fmt: skip
    write_run(args.out, [arm.frames() for arm in arms], about)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--spec", required=True, help="JSON of selfcell.specs.ProteinSpec")
    parser.add_argument("--model", type=Path, help="model folder; none: from scratch")
    parser.add_argument("--store", action="append", required=True, help="NAME=folder; repeat")
    parser.add_argument("--split", required=True, help="split file")
    parser.add_argument("--code", default="", help="digest of the code, for the run's key")
    parser.add_argument("--out", type=Path, required=True, help="run folder to write")
    job.run(main, parser)
