"""What the released code did can be asked of the methods that there are."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
import torch
from torch import nn

from selfcell.entries import Method, deviating
from selfcell.methods import METHODS, parameters
from selfcell.methods.published import CONTROLS, DEVIATIONS, Deviation, settings
from tests.methods.factory import batch, context, make

TASKS = sorted({task for deviation in DEVIATIONS for task in deviation.methods})
EACH = pytest.mark.parametrize("deviation", DEVIATIONS, ids=lambda d: d.name)


@pytest.mark.parametrize("method", TASKS)
def test_published_parameters_are_valid_and_change_the_training(method: str) -> None:
    assert method in METHODS
    values, network = settings(method, "published")
    assert values
    assert network == {"activation": "relu", "dropout": 0.0}
    defaults = vars(parameters(method, {}, "here"))
    read = vars(parameters(method, values, "here"))
    assert all(read[key] != defaults[key] for key in values)
    loss, _ = make(method, **values).loss(batch(context()))
    loss.backward()


@EACH
def test_each_deviation_alone_is_one_difference_from_its_base(deviation: Deviation) -> None:
    on = next((each for each in DEVIATIONS if each.name == deviation.on), None)
    for method in deviation.methods:
        params, network = settings(method, "intended", deviation)
        base = settings(method, "intended", on)
        assert base == (settings(method, "intended") if on is None else (on.params, on.network))
        assert params == {**base[0], **deviation.params}
        assert network == {**base[1], **deviation.network}
        assert isinstance(make(method, **params), nn.Module)
    assert deviation.what.endswith(".")


@EACH
def test_published_without_one_is_one_difference_from_published(deviation: Deviation) -> None:
    for method in deviation.methods:
        params, network = settings(method, "published", deviation)
        every = settings(method, "published")
        gone = every[0].keys() - params.keys(), every[1].keys() - network.keys()
        assert gone == (deviation.params.keys(), deviation.network.keys())
        assert params.items() <= every[0].items() and network.items() <= every[1].items()
        assert isinstance(make(method, **params), nn.Module)


@pytest.mark.parametrize("method", ["byol", "simsiam", "barlow_twins"])
def test_each_trained_deviation_changes_the_loss_of_its_base(method: str) -> None:
    """None is 0 by construction: `batch_views` changes nothing where every view is augmented,
    so it comes on top of `mild_views`."""
    known = context()

    def losses(values: dict[str, Any]) -> list[float]:
        made = make(method, known, **values)
        return [made.loss(batch(known, step=step))[0].item() for step in range(4)]

    for deviation in DEVIATIONS:
        if method in deviation.methods and deviation.params.keys() - {"lars_momentum", "moves"}:
            on = next((each for each in DEVIATIONS if each.name == deviation.on), None)
            own = losses(settings(method, "intended", deviation)[0])
            assert own != losses(settings(method, "intended", on)[0]), deviation.name


def test_what_a_deviation_comes_on_top_of_concerns_the_same_methods() -> None:
    by_name = {deviation.name: deviation for deviation in DEVIATIONS}
    for deviation in DEVIATIONS:
        if deviation.on:
            assert set(deviation.methods) <= set(by_name[deviation.on].methods)
            assert not by_name[deviation.on].on


def test_names_of_arms_and_bases() -> None:
    plain, top = (next(d for d in DEVIATIONS if d.name == n) for n in ("hook", "batch_views"))
    assert (plain.arm("byol", "intended"), plain.base("byol", "intended")) == ("byol-hook", "byol")
    assert top.arm("byol", "intended") == "byol-mild_views-batch_views"
    assert top.base("byol", "intended") == "byol-mild_views"
    assert top.arm("byol", "published") == "byol-without-batch_views"
    assert top.base("byol", "published") == "byol"


@pytest.mark.parametrize("control", CONTROLS)
def test_a_control_takes_what_it_stands_beside_takes(control: str) -> None:
    """Under protocol published: one mask for a batch, of as many genes, and no deviating arm."""
    assert settings(control, "intended") == ({}, {})
    values, network = settings(control, "published")
    assert (values, network) == settings("gene_programme", "published")
    assert values["per_batch"] and values["of"] == "programmes"
    read = vars(parameters(control, values, "here"))
    assert values.items() <= read.items()
    methods = [make(name, **values) for name in (control, "gene_programme")]
    draws = [
        torch.stack([method.draw(batch(context(), step=step))[1] for step in range(200)])
        for method in methods
    ]
    for target_SBG in draws:
        assert (target_SBG == target_SBG[:, :1]).all()
    sizes = [target_SBG[:, 0].float().sum(1).mean().item() for target_SBG in draws]
    assert sizes[0] == pytest.approx(sizes[1], rel=0.05)
    assert deviating({control: Method(name=control)}, "published") == {}


def test_controls_stand_beside_methods_that_there_are() -> None:
    assert set(CONTROLS) | set(CONTROLS.values()) <= set(METHODS)
    assert not set(CONTROLS) & set(TASKS)


def test_names_are_unique() -> None:
    assert len({deviation.name for deviation in DEVIATIONS}) == len(DEVIATIONS)


def test_the_table_is_read_without_torch() -> None:
    code = "import sys; import selfcell.methods.published; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
