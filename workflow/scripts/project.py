"""Lay out frozen embeddings of test cells in two dimensions (UMAP), all maps in one job."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from selfcell import job

if TYPE_CHECKING:
    import pandas as pd


def one_map(model_folder: str, split_file: str, stores: dict[str, str]) -> pd.DataFrame:
    """Coordinates, type and batch of a sample of a target's test cells under one model."""
    import pandas as pd

    from selfcell.data.splits import read_split
    from selfcell.data.store import Store
    from selfcell.figures.embedding import layout, sample
    from selfcell.tasks import annotate, model

    trained, split = model.load(Path(model_folder)), read_split(split_file)
    store = Store.open(stores[split["dataset"]])
    annotate.require_genes(trained, store)
    data = annotate.Data.read(store, split)
    spec = trained.about["spec"]
    names = {"target": split["target"], "corpus": spec["corpus"]["name"], "method": spec["method"]}
    rows = sample(len(split["test"]), *names.values())
    xy_N2 = layout(model.embed(trained.encoder, data.x_NG[rows]).numpy(), seed=0)
    return pd.DataFrame(xy_N2, columns=["umap1", "umap2"]).assign(
        label=pd.Series(split["test_labels"]).to_numpy()[rows],
        batch=annotate.grouping(store.obs.loc[split["test"]])[rows],
        **names,
    )


def main(args: argparse.Namespace) -> None:
    import pandas as pd
    import torch
    from tqdm import tqdm

    from selfcell.data.specs import named_paths

    torch.set_num_threads(args.threads)
    stores = named_paths(sorted(set(args.store)), "--store")
    maps = tqdm(args.map, desc="maps", unit="map", mininterval=1.0)
    frame = pd.concat([one_map(folder, split, stores) for folder, split in maps], ignore_index=True)
    with job.atomic(args.out) as path:
        frame.to_parquet(path, index=False)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    two = ("MODEL", "SPLIT")
    parser.add_argument("--map", nargs=2, action="append", required=True, metavar=two)
    parser.add_argument("--store", action="append", required=True, help="NAME=folder; repeat")
    parser.add_argument("--out", type=Path, required=True, help="coordinates, parquet")
    job.run(main, parser)
