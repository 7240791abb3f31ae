"""Score every rival on the cells of one integration target."""

from __future__ import annotations

import argparse
from pathlib import Path

from selfcell import job


def main(args: argparse.Namespace) -> None:
    meter = job.Meter()
    import torch

    from selfcell.baselines.integrate import rivals
    from selfcell.data.store import open_stores
    from selfcell.metrics.integrate import library
    from selfcell.provenance import card, short_hash
    from selfcell.specs import IntegrateSpec
    from selfcell.tasks import integrate
    from selfcell.tasks.results import write_run

    library()  # before any work, where it is not installed
    torch.set_num_threads(args.threads)
    spec = IntegrateSpec.from_json(args.spec)
    stores, inputs = open_stores(args.store)
    run_hash = short_hash(spec.model_dump(mode="json"), args.code, inputs)
    seeds = {f"seed {i}": seed for i, seed in enumerate(spec.seeds)}
    data = integrate.Data.read(spec.target, spec.cells, stores)
    frames = integrate.score(spec, data, rivals(spec, data), run_hash)
    about = card(
        rule="integrate", run_hash=run_hash, spec=spec.model_dump(mode="json"), inputs=inputs,
        code=args.code, seeds=seeds, cost=meter.read(), threads=args.threads,
    )  # fmt: skip
    write_run(args.out, [frames], about)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--spec", required=True, help="JSON of selfcell.specs.IntegrateSpec")
    parser.add_argument("--store", action="append", required=True, help="NAME=folder; repeat")
    parser.add_argument("--code", default="", help="digest of the code, for the run's key")
    parser.add_argument("--out", type=Path, required=True, help="run folder to write")
    job.run(main, parser)
