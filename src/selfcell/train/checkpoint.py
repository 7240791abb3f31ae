"""The resumable state of a training run, in one file that is either whole or absent.

Format: safetensors (no pickle). Tensors `model/<name>`, `best/<name>` and `optimiser/<i>/<name>`;
the metadata holds the format version, the run's key and where the run stands.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from selfcell.errors import StoreError
from selfcell.job import atomic

FORMAT = "selfcell-state-3"
VALIDATION_LOSS = "validation_loss"  # the measure that early stopping goes by


@dataclass
class Progress:
    """Where a run stands.

    Attributes:
        step: steps done.
        history: rows so far.
        loss, losses: sum and number of the losses since the last row.
        seconds: trained for, over all attempts.
        least, stale: the least validation loss of a row, and how many rows ago that was.
        best: the weights of that row; empty without validation.
        ended: by what, once the run is over.
    """

    step: int = 0
    history: list[dict[str, float]] = field(default_factory=list)
    loss: float = 0.0
    losses: int = 0
    seconds: float = 0.0
    least: float = math.inf
    stale: int = 0
    best: dict[str, Tensor] = field(default_factory=dict)
    ended: str = ""

    def watch(self, model: nn.Module, patience: int) -> None:
        """Keep the weights of the least validation loss of a row; the run has ended ("patience")
        where it has stood for so many rows, if any."""
        if VALIDATION_LOSS not in self.history[-1]:
            return
        loss, self.stale = self.history[-1][VALIDATION_LOSS], self.stale + 1
        if loss < self.least:
            self.least, self.stale = loss, 0
            self.best = {name: value.clone() for name, value in model.state_dict().items()}
        if patience and self.stale >= patience:
            self.ended = "patience"


class StateFile:
    """State of one run at `path`, for the run whose `key` (config + code + data) wrote it."""

    def __init__(self, path: Path, key: str) -> None:
        self.path, self.key = path, key

    def save(self, progress: Progress, model: nn.Module, optimiser: torch.optim.Optimizer) -> None:
        """Replace the state atomically."""
        tensors = {f"model/{name}": value for name, value in model.state_dict().items()}
        tensors |= {f"best/{name}": value for name, value in progress.best.items()}
        for index, moments in optimiser.state_dict()["state"].items():
            for name, value in moments.items():
                tensors[f"optimiser/{index}/{name}"] = torch.as_tensor(value)
        numbers = {name: value for name, value in vars(progress).items() if name != "best"}
        metadata = {"format": FORMAT, "key": self.key, "progress": json.dumps(numbers)}
        with atomic(self.path) as temporary:
            # Copies: two names may share memory, which the format refuses.
            save_file({k: v.detach().clone() for k, v in tensors.items()}, temporary, metadata)

    def load(self, model: nn.Module, optimiser: torch.optim.Optimizer) -> Progress:
        """Put a saved state into the model and the optimiser; the start if nothing was saved.

        Raises:
            StoreError: the file is damaged, or another run wrote it.
        """
        if not self.path.exists():
            return Progress()
        metadata, tensors = self._read()
        if metadata.get("format") != FORMAT or metadata.get("key") != self.key:
            raise StoreError(
                f"{self.path}: state of format {metadata.get('format')!r}, "
                f"run {metadata.get('key')!r}",
                f"format {FORMAT!r}, run {self.key!r}",
                "delete the file to train from the start",
            )
        groups = optimiser.state_dict()["param_groups"]
        moments: dict[int, dict[str, Tensor]] = {}
        for name, value in tensors.items():
            kind, _, rest = name.partition("/")
            if kind == "optimiser":
                index, _, field = rest.partition("/")
                moments.setdefault(int(index), {})[field] = value
        model.load_state_dict(_under("model/", tensors))
        optimiser.load_state_dict({"state": moments, "param_groups": groups})
        best = _under("best/", tensors)
        return Progress(**json.loads(metadata["progress"]), best=best)

    def _read(self) -> tuple[dict[str, str], dict[str, Tensor]]:
        try:
            with safe_open(self.path, framework="pt") as file:
                names = list(file.keys())
                return file.metadata() or {}, {name: file.get_tensor(name) for name in names}
        except SafetensorError as error:
            raise StoreError(
                f"{self.path}: not a readable state ({error})",
                "a whole safetensors file",
                "delete the file to train from the start",
            ) from error

    def discard(self) -> None:
        """Remove the state once the run's result is in place."""
        self.path.unlink(missing_ok=True)


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Tensors whose names begin so, by the rest of their names."""
    return {name[len(prefix) :]: v for name, v in tensors.items() if name.startswith(prefix)}
