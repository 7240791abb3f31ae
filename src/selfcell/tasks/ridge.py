"""Ridge regression of many outputs on a code, its penalty chosen without a second fit.

Shape suffixes: N cells, D dimensions, Q outputs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from selfcell.errors import DataError

PENALTIES = tuple(10.0**power for power in range(-4, 4))
"""Penalties tried, in units of the code's mean variance over its dimensions: choosing among them
does not depend on the code's scale, rotation or shift."""


@dataclass(frozen=True)
class Ridge:
    """A fitted linear map: y = offset_Q + z @ weight_DQ; float32."""

    weight_DQ: np.ndarray
    offset_Q: np.ndarray
    penalty: float

    def predict(self, z_ND: np.ndarray) -> np.ndarray:
        """(N, D) codes to (N, Q) float32."""
        return np.asarray(z_ND, dtype=np.float32) @ self.weight_DQ + self.offset_Q


def fit(z_ND: np.ndarray, y_NQ: np.ndarray) -> Ridge:
    """Least squares with one ridge penalty for all outputs, chosen by generalised cross-validation.

    Source: Golub, Heath & Wahba 1979, eq. 1.3 (GCV); Hoerl & Kennard 1970 (ridge).
    Differs from the paper: the score is summed over the outputs; the intercept is not penalised
    and counts as one degree of freedom. A penalty that leaves fewer than a tenth of the cells'
    degrees of freedom is not considered (GCV's ratio is then of two small numbers).

    Raises:
        DataError: fewer than 3 cells, other lengths, or a code with NaN or infinite values.
    """
    n = len(z_ND)
    if n < 3 or len(y_NQ) != n or not np.isfinite(z_ND).all():
        raise DataError(
            f"ridge on {n} cells and {len(y_NQ)} outputs, code finite: "
            f"{bool(np.isfinite(z_ND).all())}",
            "as many of each, 3 at least, all finite",
        )
    mean_D, mean_Q = z_ND.mean(0, dtype=np.float64), y_NQ.mean(0, dtype=np.float64)
    u_NK, s_K, v_KD = np.linalg.svd(z_ND - mean_D, full_matrices=False)
    y_NQ = y_NQ - mean_Q.astype(y_NQ.dtype)
    uy_KQ = (u_NK.T.astype(y_NQ.dtype) @ y_NQ).astype(np.float64)
    energy_K = np.square(uy_KQ).sum(1)
    whole = float(np.square(y_NQ, dtype=np.float64).sum())
    unit = float(np.square(s_K).sum()) / z_ND.shape[1]
    if unit == 0.0:  # one point: nothing but the mean can be learned
        weight_DQ = np.zeros((z_ND.shape[1], y_NQ.shape[1]), dtype=np.float32)
        return Ridge(weight_DQ, mean_Q.astype(np.float32), PENALTIES[-1])

    def gcv(penalty: float) -> float:
        keep_K = s_K**2 / (s_K**2 + penalty * unit)
        residual = whole - float(((2 * keep_K - keep_K**2) * energy_K).sum())
        free = 1.0 - (keep_K.sum() + 1.0) / n
        return residual / free**2 if free >= 0.1 else np.inf

    penalty = min(PENALTIES, key=lambda each: (gcv(each), -each))
    shrunk_K = s_K / (s_K**2 + penalty * unit)
    weight_DQ = v_KD.T @ (shrunk_K[:, None] * uy_KQ)
    offset_Q = mean_Q - mean_D @ weight_DQ
    return Ridge(weight_DQ.astype(np.float32), offset_Q.astype(np.float32), penalty)
