"""Checkpoints of other layouts and of other numbers than an encoder's: refused in one line."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from selfcell.errors import ConfigError, StoreError
from selfcell.importer import import_checkpoint
from tests.test_importer import GENES, WIDTHS, genes, head, named, released, written


def with_norm() -> dict[str, torch.Tensor]:
    """An encoder with batch normalisation, as of RNA to protein."""
    parts = [nn.Linear(GENES, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 4)]
    return named(encoder=nn.Sequential(*parts), decoder=head(4))


def broken_chain() -> dict[str, torch.Tensor]:
    """Layers that do not fit one another."""
    state = named(encoder=released(WIDTHS, nn.SELU, GENES), decoder=head(6))
    return {**state, "encoder.3.weight": torch.zeros(10, 11)}


def flat() -> dict[str, torch.Tensor]:
    """A weight that is no matrix."""
    return {**broken_chain(), "encoder.0.weight": torch.zeros(12)}


def with_weight(change: Callable[[torch.Tensor], torch.Tensor]) -> dict[str, torch.Tensor]:
    """An encoder whose second weight was changed."""
    state = named(encoder=released(WIDTHS, nn.SELU, GENES), decoder=head(6))
    return {**state, "encoder.3.weight": change(state["encoder.3.weight"])}


def quantised(weight: torch.Tensor) -> torch.Tensor:
    """Eight bits a value."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch leaves them for another package's
        return torch.quantize_per_tensor(weight, 0.1, 0, torch.qint8)


def huge() -> dict[str, torch.Tensor]:
    """A layer of 2**40 units, of which the file holds one value."""
    one = torch.zeros(1)
    last = {"encoder.3.weight": one.expand(2**40, 12), "encoder.3.bias": one.expand(2**40)}
    return {**named(encoder=released((12,), nn.SELU, GENES), decoder=head(6)), **last}


BAD: dict[str, tuple[Callable[[], Any], str]] = {
    "another network": (lambda: {"state_dict": {"gpt.wte": torch.zeros(3)}}, r"layout \(gpt\)"),
    "no weights": (lambda: {"state_dict": {}}, r"layout \(none\)"),
    "a tensor": (lambda: torch.zeros(3), "no weights by name"),
    "a list": (lambda: {"state_dict": [1]}, "no weights by name"),
    "normalisation": (with_norm, "encoder.1.bias is there"),
    "no bias": (
        lambda: named(encoder=nn.Sequential(nn.Linear(30, 4, bias=False)), decoder=head(4)),
        "encoder.0.bias is absent",
    ),
    "layers that do not fit": (broken_chain, "encoder.3 is of shapes .* after 12 units"),
    "no matrix": (flat, "encoder.0 is of shapes"),
    "no values": (lambda: with_weight(lambda w: w.to("meta")), "encoder.3.weight holds no values"),
    "sparse": (lambda: with_weight(torch.Tensor.to_sparse), "encoder.3.weight is of .*sparse_coo"),
    "quantised": (lambda: with_weight(quantised), r"encoder.3.weight is of torch.qint8|no checkp"),
    "complex": (lambda: with_weight(lambda w: w.cfloat()), "encoder.3.weight is of .*complex64"),
    "whole numbers": (lambda: with_weight(lambda w: w.int()), "encoder.3.weight is of .*int32"),
    "huge": (huge, "encoder.3.weight declares 13194139533312 values and stores 1"),
    "one layer": (
        lambda: named(classifier=nn.Sequential(nn.Linear(30, 4))), "a classifier of one layer",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_other_layouts_are_refused(case: str, tmp_path: Path) -> None:
    make, said = BAD[case]
    with pytest.raises(StoreError, match=said):
        import_checkpoint(written(tmp_path / "c.ckpt", make()), genes())


def test_a_layer_wider_than_any_network_is_refused(tmp_path: Path) -> None:
    state = named(encoder=released((12, 70_000), nn.SELU, GENES), decoder=head(6))
    path = written(tmp_path / "c.ckpt", state)
    with pytest.raises(ConfigError, match=r"c\.ckpt: hidden\.1: .*65536"):
        import_checkpoint(path, genes())
