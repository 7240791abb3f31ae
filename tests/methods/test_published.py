"""What the released code did can be asked of the methods that there are."""

from __future__ import annotations

import subprocess
import sys

import pytest
from torch import nn

from selfcell.methods import METHODS, parameters
from selfcell.methods.published import DEVIATIONS, PUBLISHED, Deviation, settings
from tests.methods.factory import batch, context, make


@pytest.mark.parametrize("method", PUBLISHED)
def test_published_parameters_are_valid_and_change_the_training(method: str) -> None:
    assert method in METHODS
    values = settings(method)[0]
    assert values == PUBLISHED[method] != {}
    assert settings(method)[1] == {"activation": "relu", "dropout": 0.0}
    defaults = vars(parameters(method, {}, "here"))
    read = vars(parameters(method, values, "here"))
    assert all(read[key] != defaults[key] for key in values)
    loss, _ = make(method, **values).loss(batch(context()))
    loss.backward()


@pytest.mark.parametrize("deviation", DEVIATIONS, ids=lambda d: d.name)
def test_each_deviation_is_one_difference(deviation: Deviation) -> None:
    for method in deviation.methods:
        assert deviation.params.items() <= PUBLISHED[method].items()
        assert isinstance(make(method, **deviation.params), nn.Module)
    assert deviation.what.endswith(".")


def test_a_control_of_our_own_has_no_published_behaviour() -> None:
    assert settings("random_mask_matched") == ({}, {})


def test_names_are_unique() -> None:
    assert len({deviation.name for deviation in DEVIATIONS}) == len(DEVIATIONS)


def test_the_table_is_read_without_torch() -> None:
    code = "import sys; import selfcell.methods.published; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
