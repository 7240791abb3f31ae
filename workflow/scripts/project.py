"""Lay out the frozen embedding of a target's test cells in two dimensions (UMAP)."""

from __future__ import annotations

import argparse
from pathlib import Path

from selfcell import job

SEED = 0


def main(args: argparse.Namespace) -> None:
    import pandas as pd
    import torch

    from selfcell.data.splits import read_split
    from selfcell.data.store import Store
    from selfcell.figures.embedding import layout
    from selfcell.tasks import annotate, model

    torch.set_num_threads(args.threads)
    trained, split = model.load(args.model), read_split(args.split)
    store = Store.open(args.store)
    annotate.require_genes(trained, store)
    data = annotate.Data.read(store, split)
    codes = model.embed(trained.encoder, data.x_NG).numpy()
    obs = store.obs.loc[split["test"]]
    # The finest grouping that is known: what a batch is differs between data sets.
    batch = next((c for c in ("batch", "donor", "condition") if (obs[c] != "unknown").any()), "")
    frame = pd.DataFrame(layout(codes, SEED), columns=["umap1", "umap2"])
    frame["label"] = split["test_labels"]
    frame["batch"] = obs[batch].to_numpy() if batch else "unknown"
    spec = trained.about["spec"]
    frame = frame.assign(
        target=split["target"], corpus=spec["corpus"]["name"], method=spec["method"]
    )
    with job.atomic(args.out) as path:
        frame.to_parquet(path, index=False)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True, help="model folder")
    parser.add_argument("--store", required=True, help="store of the target's data set")
    parser.add_argument("--split", required=True, help="split file")
    parser.add_argument("--out", type=Path, required=True, help="coordinates, parquet")
    job.run(main, parser)
