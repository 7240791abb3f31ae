"""Models that a study does not train but is given: what of them its jobs must know beforehand.

Without torch, so that the configuration is read fast; the weights are read by rule `adopt`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from selfcell.entries import Ready
from selfcell.errors import ConfigError
from selfcell.specs import Network


@dataclass(frozen=True)
class ReadyModel:
    """A model folder.

    Attributes:
        folder: of model.json and weights.safetensors, absolute.
        method: what pre-trained it.
        network: of its encoder.
        min_found: share of its genes, in [0, 1], that a target must have.
    """

    folder: Path
    method: str
    network: Network
    min_found: float


def read(entry: Ready) -> ReadyModel:
    """Look into the model.json that an entry of `models` names.

    Raises ConfigError: there is none, or it is of another form.
    """
    folder = Path(entry.path).expanduser().absolute()
    try:
        spec = json.loads((folder / "model.json").read_text(encoding="utf-8"))["spec"]
        network = Network(**spec["network"])
        return ReadyModel(folder, str(spec["method"]), network, entry.min_found)
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise ConfigError(
            f"models.{entry.name}: no readable model in {folder} ({' '.join(str(error).split())})",
            "a folder that selfcell pretrain or import-checkpoint wrote",
        ) from error
