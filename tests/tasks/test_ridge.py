"""Ridge with generalised cross-validation: against scikit-learn, and what it must not depend on."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import Ridge as Peer

from selfcell.errors import DataError
from selfcell.keys import generator
from selfcell.tasks import ridge


def made(n: int = 80, dims: int = 6, outputs: int = 4) -> tuple[np.ndarray, np.ndarray]:
    rng = generator("ridge", n, dims, outputs)
    z_ND = rng.normal(1.0, 2.0, (n, dims))
    return z_ND, z_ND @ rng.normal(size=(dims, outputs)) + 5.0 + rng.normal(0, 3, (n, outputs))


def unit(z_ND: np.ndarray) -> float:
    return float(np.square(z_ND - z_ND.mean(0)).sum() / z_ND.shape[1])


def test_the_fit_is_that_of_scikit_learn() -> None:
    z_ND, y_NQ = made()
    own = ridge.fit(z_ND, y_NQ)
    peer = Peer(alpha=own.penalty * unit(z_ND)).fit(z_ND, y_NQ)
    assert own.predict(z_ND) == pytest.approx(peer.predict(z_ND), rel=1e-4)


def test_the_penalty_is_that_of_the_definition() -> None:
    """GCV from the hat matrix itself."""
    z_ND, y_NQ = made(30, 20)
    centred_ND, scores = z_ND - z_ND.mean(0), {}
    for penalty in ridge.PENALTIES:
        gram = centred_ND.T @ centred_ND + penalty * unit(z_ND) * np.eye(20)
        hat = centred_ND @ np.linalg.solve(gram, centred_ND.T) + 1 / 30
        free = 1 - np.trace(hat) / 30
        scores[penalty] = np.square(y_NQ - hat @ y_NQ).sum() / free**2 if free >= 0.1 else np.inf
    assert ridge.fit(z_ND, y_NQ).penalty == min(scores, key=lambda each: scores[each])


def test_scale_rotation_and_shift_of_the_code_change_nothing() -> None:
    z_ND, y_NQ = made()
    turn, _ = np.linalg.qr(generator("turn").normal(size=(6, 6)))
    other = ridge.fit(100.0 * z_ND @ turn + 7.0, y_NQ).predict(100.0 * z_ND @ turn + 7.0)
    assert other == pytest.approx(ridge.fit(z_ND, y_NQ).predict(z_ND), rel=1e-3, abs=1e-3)


def test_noise_is_shrunk_and_more_dimensions_than_cells_are_no_matter() -> None:
    rng = generator("noise")
    z_ND, y_NQ = rng.normal(size=(20, 64)), rng.normal(size=(20, 5))
    fitted = ridge.fit(z_ND, y_NQ)
    assert np.square(fitted.predict(z_ND) - y_NQ.mean(0)).mean() < 0.5


def test_one_point_gives_the_mean() -> None:
    _, y_NQ = made()
    fitted = ridge.fit(np.ones((80, 6)), y_NQ)
    assert fitted.predict(np.zeros((2, 6)))[1] == pytest.approx(y_NQ.mean(0), rel=1e-5)


@pytest.mark.parametrize("broken", ["few", "length", "nan"])
def test_what_cannot_be_fitted_is_refused(broken: str) -> None:
    z_ND, y_NQ = made()
    cases = {"few": (z_ND[:2], y_NQ[:2]), "length": (z_ND[:9], y_NQ), "nan": (z_ND * np.nan, y_NQ)}
    with pytest.raises(DataError, match="ridge on"):
        ridge.fit(*cases[broken])
