"""Autoencoders of single programmes: gp_to_gp, and gp_to_tf from targets to factors."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from selfcell.errors import ConfigError
from selfcell.methods import parameters
from selfcell.methods.gp_to_tf import LEAST_FACTORS
from tests.methods.factory import batch, context, make, masked, with_factors


def test_gp_to_gp_touches_no_gene_outside_one_programme() -> None:
    known, cells = context(), batch(context())
    visible, target = masked("gp_to_gp").draw(cells)
    assert torch.equal(visible, target)
    measured = set(np.flatnonzero(known.measured_G).tolist())
    sets = [
        {known.symbols.index(g) for g in genes} & measured for genes in known.programmes.values()
    ]
    for row in target:
        assert set(row.nonzero()[:, 0].tolist()) in sets
    assert len({tuple(row.tolist()) for row in target}) > 10


def test_gp_to_gp_has_no_gradient_outside_the_programme() -> None:
    method, cells = masked("gp_to_gp"), batch(context(), range(1))
    _, target = method.draw(cells)
    method.loss(cells)[0].backward()
    inputs, outputs = method.encoder.layers[0].weight.grad, method.decoder.layers[-1].weight.grad
    assert inputs[:, ~target[0]].abs().sum() == 0
    assert outputs[~target[0]].abs().sum() == 0
    assert outputs[target[0]].abs().sum() > 0


@pytest.mark.parametrize("name", ["gp_to_gp", "gp_to_tf"])
def test_not_isolated_is_a_plain_autoencoder(name: str) -> None:
    method = masked(name, isolate=False)
    visible, target = method.draw(batch(context()))
    assert torch.equal(visible, method.measured_G.expand_as(visible))
    assert torch.equal(visible, target)


def test_gp_to_tf_sees_targets_and_is_asked_for_factors() -> None:
    known = with_factors(context())
    method = masked("gp_to_tf", known, factors=8)
    visible, target = method.draw(batch(known))
    columns = {known.symbols.index(name.split("_")[0]) for name in known.programmes}
    assert (target.sum(1) == 8).all()
    for seen, asked in zip(visible, target, strict=True):
        asked_set = set(asked.nonzero()[:, 0].tolist())
        assert asked_set <= columns
        factors = [known.symbols[c] for c in asked_set]
        genes = {g for f in factors for g in known.programmes[f"{f}_TARGET_GENES"]}
        expected = {known.symbols.index(g) for g in genes} - asked_set
        expected &= set(np.flatnonzero(known.measured_G).tolist())
        assert set(seen.nonzero()[:, 0].tolist()) == expected
    assert not (visible & target).any()


def test_gp_to_tf_needs_enough_factors() -> None:
    known = with_factors(context())
    few = dict(list(known.programmes.items())[:5])
    known = dataclasses.replace(known, programmes=few)
    with pytest.raises(ConfigError, match="5 factors have their gene and targets"):
        make("gp_to_tf", known)
    with pytest.raises(ConfigError, match="5 factors have their gene and targets"):
        make("gp_to_tf", known, factors=8)


def test_gp_to_tf_refuses_too_few_factors_a_cell() -> None:
    """With the range and the reason, where the configuration is read."""
    with pytest.raises(ConfigError) as caught:
        parameters("gp_to_tf", {"factors": LEAST_FACTORS - 1}, "methods.gp_to_tf")
    said = str(caught.value)
    assert "methods.gp_to_tf.factors: 7; needed: a value in [8, 1000]" in said
    assert "fewer than 8 do not train" in said
    assert parameters("gp_to_tf", {"factors": LEAST_FACTORS}, "here").factors == 8


def test_gp_to_tf_draws_all_factors_where_there_are_fewer_than_asked_for() -> None:
    _, target = masked("gp_to_tf", factors=1000).draw(batch(context()))
    assert (target.sum(1) == 10).all()
