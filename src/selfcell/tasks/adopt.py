"""A ready model in a study: judged by what it does there, whatever is known of its training."""

from __future__ import annotations

import logging
from pathlib import Path

from selfcell.provenance import sha256_file, short_hash
from selfcell.tasks import model

log = logging.getLogger("selfcell")


def adopt(source: Path, out: Path) -> None:
    """Copy a model's encoder, as rules `frozen` and `finetune` read it.

    Its status becomes "ok", so that it is scored: the learning gate speaks of a run of
    pre-training, and was not run on a model that was imported. What it said stays under `gate`.
    The key of the run is of the weights and the settings that came, since keys of older formats
    and of imported models say less.

    Args:
        source: a model folder of any format that can be read. out: folder to write.

    Raises:
        StoreError: no model, or a damaged one.
    """
    trained = model.load(source)
    if (status := trained.status) not in ("ok", "unchecked"):
        log.warning("%s: marked %r by the learning gate; it is scored anyway", source, status)
    about = dict(trained.about)
    about |= {"status": "ok", "gate": status}
    about["run_hash"] = short_hash(sha256_file(source / "weights.safetensors"), trained.about)
    state = trained.encoder.state_dict()
    model.write(out, {f"encoder.{name}": value for name, value in state.items()}, about)
