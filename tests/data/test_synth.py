"""Synthetic cells hold the structure that they claim."""

import numpy as np
import pytest

from selfcell.data.synth import synthesise


def test_shapes_counts_and_programmes() -> None:
    cells = synthesise(300, identity=4, nuisance=6, genes_each=5, types=3)
    assert cells.count_NG.shape == (300, 50)
    assert (cells.count_NG.data == np.round(cells.count_NG.data)).all()
    assert cells.count_NG.data.min() > 0
    assert (cells.count_NG.sum(1) > 0).all()
    genes = [gene for genes in cells.programmes.values() for gene in genes]
    assert sorted(genes) == sorted(cells.symbols)
    assert sum(name.startswith("IDENTITY") for name in cells.programmes) == 4
    assert set(cells.label_N.tolist()) == {0, 1, 2}
    x_NG = cells.log_expression()
    np.testing.assert_allclose(np.expm1(x_NG).sum(1), 1e4, rtol=1e-4)


def test_seed_decides() -> None:
    one, same, other = (synthesise(50, seed=seed) for seed in (1, 1, 2))
    assert (one.count_NG != same.count_NG).nnz == 0
    assert (one.count_NG != other.count_NG).nnz > 0


def test_genes_of_a_programme_vary_together_and_only_identity_follows_the_type() -> None:
    cells = synthesise(2000, seed=1)
    x_NG = cells.log_expression()
    column = {symbol: i for i, symbol in enumerate(cells.symbols)}
    explained: dict[str, list[float]] = {"IDENTITY": [], "NUISANCE": []}
    for name, genes in cells.programmes.items():
        mean_N = x_NG[:, [column[gene] for gene in genes]].mean(1)
        of_type = np.array([mean_N[cells.label_N == t].mean() for t in range(6)])
        explained[name.split("_")[0]].append(of_type[cells.label_N].var() / mean_N.var())
    assert np.mean(explained["IDENTITY"]) > 0.3
    assert np.mean(explained["NUISANCE"]) < 0.02
    nuisance = [column[gene] for gene in cells.programmes["NUISANCE_030"]]
    other = [column[gene] for gene in cells.programmes["NUISANCE_031"]]
    correlation = np.corrcoef(x_NG[:, nuisance + other].T)
    assert correlation[:10, :10][np.triu_indices(10, 1)].mean() > 0.2
    assert abs(correlation[:10, 10:].mean()) < 0.1


def test_a_number_that_is_not_positive() -> None:
    with pytest.raises(ValueError, match="types 0"):
        synthesise(types=0)
