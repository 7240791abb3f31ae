"""A cell's embedding on every device there is: that of float64 arithmetic, but for rounding.

What agrees with one reference agrees with each other. A GPU is asked where torch sees one;
elsewhere its tests are not there, rather than skipped.
"""

from __future__ import annotations

import copy

import pytest
import torch

from selfcell.methods import METHODS
from tests.methods.factory import batch, context, make

DEVICES = ["cpu", *["cuda"] * torch.cuda.is_available()]
TOLERANCE = {"rtol": 1e-4, "atol": 1e-5}


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", METHODS)
def test_embeddings_are_equal_on_every_device(name: str, device: str) -> None:
    method = make(name).eval()
    x_BG = batch(context()).x_BG
    exact_BD = copy.deepcopy(method).double().embed(x_BG.double())
    there = method.to(device)
    found_BD = there.embed(x_BG.to(device))
    assert found_BD.device.type == device and found_BD.dtype == torch.float32
    torch.testing.assert_close(found_BD.cpu().double(), exact_BD, **TOLERANCE)
    # and cell by cell, which a device may compute by other kernels than a whole batch
    one_BD = torch.cat([there.embed(x_BG[i : i + 1].to(device)).cpu() for i in range(5)])
    torch.testing.assert_close(one_BD.double(), exact_BD[:5], **TOLERANCE)
