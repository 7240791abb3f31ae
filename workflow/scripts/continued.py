"""Let a model go on learning, without labels, on the cells of an integration target; score it."""

from __future__ import annotations

import argparse
from pathlib import Path

from selfcell import job


def main(args: argparse.Namespace) -> None:
    meter = job.Meter()
    import torch

    from selfcell.data.store import open_stores
    from selfcell.metrics.integrate import library
    from selfcell.provenance import card, short_hash
    from selfcell.specs import ContinuedSpec
    from selfcell.tasks import integrate, model
    from selfcell.tasks.results import write_run

    library()  # before any work, where it is not installed
    torch.set_num_threads(args.threads)
    spec = ContinuedSpec.from_json(args.spec)
    stores, inputs = open_stores(args.store)
    trained = model.load(args.model)
    inputs["model"] = trained.about["run_hash"]
    run_hash = short_hash(spec.model_dump(mode="json"), args.code, inputs)
    data = integrate.Data.read(spec.target, spec.cells, stores)
    frames = integrate.score(spec, data, integrate.continued(trained, data, spec), run_hash)
    about = card(
        rule="continued", run_hash=run_hash, spec=spec.model_dump(mode="json"), inputs=inputs,
        code=args.code, seeds={"seed": spec.seed}, cost=meter.read(), threads=args.threads,
    )  # fmt: skip
    write_run(args.out, [frames], about)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--spec", required=True, help="JSON of selfcell.specs.ContinuedSpec")
    parser.add_argument("--model", type=Path, required=True, help="model folder")
    parser.add_argument("--store", action="append", required=True, help="NAME=folder; repeat")
    parser.add_argument("--code", default="", help="digest of the code, for the run's key")
    parser.add_argument("--out", type=Path, required=True, help="run folder to write")
    job.run(main, parser)
