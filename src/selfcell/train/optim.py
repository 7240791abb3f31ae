"""Optimisers by name: AdamW, and LARS with the state that it needs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import nn

from selfcell.errors import ConfigError
from selfcell.methods.base import Descent

BIAS_RATE = 0.0048 / 0.2
WARM_UP = 20


class LARS(torch.optim.Optimizer):
    """Momentum descent in which each weight matrix moves in proportion to its own norm.

    v <- momentum * v + trust * |w| / |g + decay * w| * (g + decay * w);  w <- w - lr * v.
    Vectors (biases, batch normalisation) move by plain momentum at `lr * bias_rate`, undecayed.
    The rate rises linearly over the first `warm_up` steps. Momentum and the step are state, in
    `state_dict`; making the optimiser anew at each step would lose both.

    Source: You et al. 2017 (LARS), algorithm 1; settings of Zbontar et al. 2021.
    Differs from the paper: the learning rate multiplies after the momentum, as in the latter.
    """

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        lr: float,
        weight_decay: float = 1e-6,
        momentum: float = 0.9,
        trust: float = 0.001,
        bias_rate: float = BIAS_RATE,
        warm_up: int = WARM_UP,
    ) -> None:
        every = [p for p in parameters if p.requires_grad]
        common = {"momentum": momentum, "trust": trust, "warm_up": warm_up}
        weights = [p for p in every if p.ndim > 1]
        vectors = [p for p in every if p.ndim <= 1]
        groups: list[dict[str, Any]] = [
            {"params": weights, "lr": lr, "weight_decay": weight_decay, "adapt": True},
            {"params": vectors, "lr": lr * bias_rate, "weight_decay": 0.0, "adapt": False},
        ]
        super().__init__([group for group in groups if group["params"]], common)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """One update; `closure`, if given, computes the loss first and its value is returned."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    self._move(p, group)
        return loss

    def _move(self, p: nn.Parameter, group: dict[str, Any]) -> None:
        assert p.grad is not None
        change = p.grad
        if group["adapt"]:
            change = change.add(p, alpha=group["weight_decay"])
            norm, size = torch.linalg.vector_norm(p), torch.linalg.vector_norm(change)
            ratio = group["trust"] * norm / size
            change = change.mul_(torch.where((norm > 0) & (size > 0), ratio, 1.0))
        state = self.state[p]
        if not state:
            state["step"] = torch.zeros((), dtype=torch.float32, device="cpu")  # as torch does
            state["momentum"] = torch.zeros_like(p)
        state["step"] += 1
        warm = min(1.0, float(state["step"]) / max(1, group["warm_up"]))
        state["momentum"].mul_(group["momentum"]).add_(change)
        p.add_(state["momentum"], alpha=-warm * group["lr"])


def optimiser(method: nn.Module, lr: float, weight_decay: float) -> torch.optim.Optimizer:
    """The optimiser of a method: its own `descent` if it states one, else AdamW as given.

    AdamW has betas .9 and .999. A `descent` is a `methods.base.Descent`.

    Args:
        lr: learning rate, per step. weight_decay: of AdamW, decoupled.

    Raises:
        ConfigError: the method asks for an optimiser that is not here.
    """
    trained = [p for p in method.parameters() if p.requires_grad]
    own: Descent = getattr(method, "descent", None) or Descent("adamw", lr, weight_decay)
    if own.name == "adamw":
        return torch.optim.AdamW(trained, lr=own.lr, weight_decay=own.weight_decay, fused=True)
    if own.name == "lars":
        return LARS(trained, own.lr, own.weight_decay, own.momentum)
    raise ConfigError(f"optimiser {own.name!r}", "one of adamw, lars")


def set_rates(optimiser: torch.optim.Optimizer, rates: list[float], factor: float) -> float:
    """Each group's learning rate to `factor` times its entry of `rates`; returns the first's."""
    for group, rate in zip(optimiser.param_groups, rates, strict=True):
        group["lr"] = rate * factor
    return rates[0] * factor


def clip(model: nn.Module, most: float) -> float:
    """Scale all gradients so that their L2 norm together is at most `most`, above 0.

    Returns the norm before.
    """
    norm = nn.utils.get_total_norm([p.grad for p in model.parameters() if p.grad is not None])
    if norm + 1e-6 > most:  # else torch would multiply every gradient by one
        nn.utils.clip_grads_with_norm_(model.parameters(), most, norm)
    return float(norm)
