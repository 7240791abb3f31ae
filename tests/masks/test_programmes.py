"""Programme masks: the words against Python sets, and the guarantee of `union`."""

import numpy as np
import pytest
import torch

from selfcell.errors import ConfigError
from selfcell.keys import generator
from selfcell.masks.programmes import (
    CHUNK,
    CHUNKS,
    Programmes,
    least,
    pack,
    popcount,
    select,
    unpack,
)
from selfcell.rng import Noise
from tests.reference import masks as reference

RNG = generator("test programmes")
GENES = 150
MEMBER = RNG.random((40, GENES)) < 0.08
MEMBER[:, 140:] = False  # genes that no programme holds
MEASURED = torch.arange(GENES) >= 6
MEMBER[:, :6] = False


def noise(cells: int = 64, step: int = 0) -> Noise:
    """Random numbers of cells 0, 1, ..."""
    return Noise(1, step, torch.arange(cells))


def drawn(cells: Noise, count: int) -> list[list[int]]:
    """The programmes that `union` draws for each cell, in order."""
    order = [(cells.uniform(CHUNK, f"programmes/{c}") * count).long() for c in range(CHUNKS)]
    order.append(cells.uniform(count, "programmes/all").argsort(1))
    return torch.cat(order, 1).tolist()


@pytest.mark.parametrize("genes", [1, 63, 64, 65, 150])
def test_pack_round_trip_and_popcount(genes: int) -> None:
    bits = torch.as_tensor(RNG.random((9, genes)) < 0.5)
    assert torch.equal(unpack(pack(bits), genes), bits)
    assert torch.equal(popcount(pack(bits)), bits.sum(1).float())
    assert popcount(pack(torch.ones(1, genes, dtype=torch.bool))).item() == genes


@pytest.mark.parametrize("share", [0.05, 0.25, 0.6])
def test_union_of_measured_genes_equals_the_reference(share: float) -> None:
    mask = Programmes(MEMBER).union(noise(), share, MEASURED[None])
    base = set(range(6, GENES))
    for row, order in zip(mask, drawn(noise(), len(MEMBER)), strict=True):
        assert set(row.nonzero()[:, 0].tolist()) == reference.union(order, MEMBER, base, share)


def test_union_of_expressed_genes_equals_the_reference() -> None:
    expressed = torch.as_tensor(RNG.random((64, GENES)) < 0.3)
    mask = Programmes(MEMBER).union(noise(), 0.25, expressed)
    orders = drawn(noise(), len(MEMBER))
    for row, order, own in zip(mask, orders, expressed, strict=True):
        base = set(own.nonzero()[:, 0].tolist())
        assert set(row.nonzero()[:, 0].tolist()) == reference.union(order, MEMBER, base, 0.25)


def test_share_is_reached_and_not_without_the_last_programme() -> None:
    masks = Programmes(MEMBER)
    mask = masks.union(noise(256), 0.25, MEASURED[None])
    measured = int(MEASURED.sum())
    assert (mask.sum(1) >= 0.25 * measured).all()
    largest = int(MEMBER.sum(1).max())
    assert (mask.sum(1) < 0.25 * measured + largest).all()
    assert not mask[:, ~MEASURED].any()


@pytest.mark.parametrize("percent", [0.1, 1, 5, 7, 10, 15, 25, 30, 50, 60, 70, 99])
def test_least_number_of_genes_is_exact_for_every_size(percent: float) -> None:
    size = torch.arange(20_001, dtype=torch.float32)
    exact = -(-(torch.arange(20_001) * round(10 * percent)) // 1000)
    assert torch.equal(least(percent / 100, size), exact.double())


@pytest.mark.parametrize(("share", "genes", "expected"), [(0.07, 100, 7), (0.3, 50, 15)])
def test_no_gene_too_many_where_a_product_rounds_up(
    share: float, genes: int, expected: int
) -> None:
    """Programmes of one gene; the products round up in float64 and in float32."""
    masks = Programmes(np.eye(genes, dtype=bool))
    mask = masks.union(noise(8), share, torch.ones(1, genes, dtype=torch.bool))
    assert (mask.sum(1) == expected).all()


def test_all_programmes_where_the_share_is_out_of_reach() -> None:
    mask = Programmes(MEMBER).union(noise(), 0.99, MEASURED[None])
    assert torch.equal(mask, torch.as_tensor(MEMBER.any(0)).expand_as(mask))


def test_share_just_within_reach_ends_and_is_exact() -> None:
    member = np.eye(300, dtype=bool)  # programmes of one gene: the last must be drawn, too
    mask = Programmes(member).union(noise(8), 1.0, torch.ones(1, 300, dtype=torch.bool))
    assert mask.all()


def test_each_programme_is_drawn_equally_often_in_first_place() -> None:
    member = np.zeros((10, 100), dtype=bool)
    for p in range(10):
        member[p, 10 * p : 10 * p + 10] = True
    mask = Programmes(member).union(noise(20_000), 0.1, torch.ones(1, 100, dtype=torch.bool))
    share = mask[:, ::10].float().mean(0)
    assert (mask.sum(1) == 10).all()
    assert ((share - 0.1).abs() < 5 * (0.1 * 0.9 / 20_000) ** 0.5).all()


def test_masks_belong_to_the_cell_and_not_to_the_batch() -> None:
    masks = Programmes(MEMBER)
    whole = masks.union(noise(), 0.25, MEASURED[None])
    few = masks.union(noise().rows(torch.tensor([9, 3])), 0.25, MEASURED[None])
    assert torch.equal(few, whole[[9, 3]])


def test_per_batch_is_one_mask_for_any_cells() -> None:
    masks = Programmes(MEMBER)
    one = masks.union(noise(), 0.25, MEASURED[None], per_batch=True)
    other = masks.union(Noise(1, 0, torch.arange(90, 99)), 0.25, MEASURED[None], per_batch=True)
    assert len(one) == 1
    assert torch.equal(one, other)
    later = masks.union(noise(step=1), 0.25, MEASURED[None], per_batch=True)
    assert not torch.equal(one, later)


@pytest.mark.parametrize("number", [1, 3, 40, 99])
def test_some_programmes_are_distinct_and_their_union_is_theirs(number: int) -> None:
    masks = Programmes(MEMBER)
    index = masks.some(noise(), number)
    assert index.shape == (64, min(number, 40))
    union = masks.of(index)
    for row, chosen in zip(union, index, strict=True):
        assert len(set(chosen.tolist())) == len(chosen)
        assert torch.equal(row, torch.as_tensor(MEMBER[chosen.numpy()].any(0)))


def test_coverage_rule() -> None:
    symbols = [f"G{i}" for i in range(10)]
    measured = np.array([True] * 8 + [False] * 2)
    programmes = {
        "kept": ["G0", "G1", "G2", "X"],
        "few": ["G0", "G8", "G9"],
        "thin": ["G0", "G1", *[f"X{i}" for i in range(8)]],
        "edge": ["G3", "G4", "G8", "G9"],
    }
    names, member, coverage = select(programmes, symbols, measured, 2, 0.5)
    assert names == ["kept", "edge"]
    assert np.flatnonzero(member[0]).tolist() == [0, 1, 2]
    assert np.flatnonzero(member[1]).tolist() == [3, 4]
    assert (coverage.given, coverage.kept, coverage.too_few, coverage.too_thin) == (4, 2, 1, 1)
    assert "2 of 4 programmes kept" in str(coverage)
    assert "5 of 8 measured genes" in str(coverage)


def test_no_programme_covered_is_an_error() -> None:
    with pytest.raises(ConfigError, match="no programme of 1 is covered"):
        select({"a": ["X"]}, ["G0"], np.array([True]), 1, 0.0)
