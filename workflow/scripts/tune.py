"""Score one arm at every setting of the tuning grid, on the development set."""

from __future__ import annotations

import argparse
from pathlib import Path

from selfcell import job


def main(args: argparse.Namespace) -> None:
    import torch

    from selfcell.data.splits import read_split
    from selfcell.data.store import Store
    from selfcell.specs import FineTuneSpec
    from selfcell.tasks import annotate, model, tune

    torch.set_num_threads(args.threads)
    spec = FineTuneSpec.from_json(args.spec)
    store, split = Store.open(args.store), read_split(args.split)
    encoder, status = model.new_encoder(len(store.gene_ids), spec.network, spec.seed), "ok"
    if args.model:
        trained = model.load(args.model)
        annotate.require_genes(trained, store)
        encoder, status = trained.put_into(spec.network), trained.status
    init = "pretrained" if args.model else "random"
    results = tune.grid(spec, encoder, status, init, annotate.Data.read(store, split))
    with job.atomic(args.out) as path:
        results.to_csv(path, index=False)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--spec", required=True, help="JSON of selfcell.specs.FineTuneSpec")
    parser.add_argument("--model", type=Path, help="model folder; none: from scratch")
    parser.add_argument("--store", required=True, help="store of the development set")
    parser.add_argument("--split", required=True, help="split file")
    parser.add_argument("--out", type=Path, required=True, help="grid results, csv")
    job.run(main, parser)
