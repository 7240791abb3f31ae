"""Does an embedding keep cell types apart and batches together: scIB's metrics and their total.

Most come from scib-metrics (extra `integration`), which loads jax: seconds, so it is imported in
the function that needs it. Every value is 1 at best and 0 at worst, and nothing is rescaled over
the embeddings that happen to be compared.

Shape suffixes: N cells, D dimensions, K neighbours, B batches.
"""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from tqdm import tqdm

from selfcell.errors import ConfigError, DataError
from selfcell.tasks.neighbours import nearest

BIO = ("isolated_labels", "nmi", "ari", "silhouette", "clisi")
"""Whether types stay apart."""
BATCH = ("bras", "ilisi", "kbet", "graph_connectivity", "pcr")
"""Whether batches come together."""
WEIGHT = 0.6
"""Of the mean of `BIO` in the total."""
METRICS = (*BIO, *BATCH, "bio", "batch", "total")
WIDE, NARROW = 90, 15
"""Neighbours of LISI and of graph connectivity."""
CHUNK = 4096  # rows of a block of distances: one block for most types, as each shape is compiled
STARTS = 10  # of k-means
ALPHA = 0.05  # of kBET's test


def library() -> Any:
    """The module scib_metrics. Raises ConfigError where it is not installed."""
    from selfcell.data.fetch import cache_dir

    threads = os.environ.get("OMP_NUM_THREADS", "1")
    os.environ.setdefault("NPROC", threads)  # jax takes every core otherwise
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    # Every job would compile the same loops for the same numbers of cells: a third of its time.
    os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(cache_dir() / "jax"))
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
    try:
        with warnings.catch_warnings():
            # a part of umap-learn that is not used here wants TensorFlow
            warnings.simplefilter("ignore", ImportWarning)
            import scib_metrics
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"integration: {error.name} is not installed",
            "the extra `integration`",
            "pip install -c envs/constraints.txt -e '.[integration]', or leave the section out",
        ) from error
    scib_metrics.settings.verbosity = logging.WARNING
    return scib_metrics


def values(
    z_ND: np.ndarray, type_N: np.ndarray, batch_N: np.ndarray, before_ND: np.ndarray
) -> dict[str, float]:
    """All of `METRICS`.

    Args:
        z_ND: the embedding. type_N, batch_N: text. before_ND: principal components of the
            expression, for `pcr`: the share of the batches' variance in them that is gone.

    Source: Luecken et al. 2022 (scIB; total = 0.6 mean of `BIO` + 0.4 mean of `BATCH`); BRAS:
    Rautenstrauch & Ohler 2025; all through scib-metrics, with its defaults.
    Differs from the paper: exact neighbours; k-means with ten starts in place of one; kBET among
    the neighbours within each type in place of a diffusion map of their graph, which takes a
    hundred times as long and is another one at each run.

    Raises:
        DataError: fewer than two types or batches, or an embedding that is not finite.
        ConfigError: as `library`.
    """
    for name, label_N in (("type", type_N), ("batch", batch_N)):
        if len(set(label_N.tolist())) < 2:
            raise DataError(f"integration: one {name} among the cells", "two at least")
    if not np.isfinite(z_ND).all():
        raise DataError("the embedding holds NaN or infinite values", "finite values")
    scib = library()
    z_ND = np.ascontiguousarray(z_ND, dtype=np.float32)
    wide, narrow = (_neighbours(z_ND, k) for k in (WIDE, NARROW))
    parts: dict[str, Callable[[], float | dict[str, float]]] = {
        "isolated_labels": lambda: scib.isolated_labels(z_ND, type_N, batch_N),
        "silhouette": lambda: scib.silhouette_label(z_ND, type_N),
        "clisi": lambda: scib.clisi_knn(wide, type_N),
        "bras": lambda: scib.bras(z_ND, type_N, batch_N, chunk_size=CHUNK),
        "ilisi": lambda: scib.ilisi_knn(wide, batch_N),
        "kbet": lambda: kbet(z_ND, type_N, batch_N),
        "graph_connectivity": lambda: scib.graph_connectivity(narrow, type_N),
        "pcr": lambda: pcr(z_ND, batch_N, before_ND),
        "clusters": lambda: clusters(z_ND, type_N),
    }
    found: dict[str, float] = {}
    for name, part in tqdm(parts.items(), desc="integration", unit="metric", mininterval=1.0):
        value = part()
        found |= value if isinstance(value, dict) else {name: value}
    # LISI comes of a search that ends at a tolerance, and may miss its bounds by as much.
    return total({name: float(np.clip(value, 0.0, 1.0)) for name, value in found.items()})


def total(found: dict[str, float]) -> dict[str, float]:
    """Values of `BIO` and `BATCH` with their means and the total, in the order of `METRICS`.

    Source: Luecken et al. 2022 (overall score). Differs from the paper: nothing is rescaled.
    """
    bio, batch = (float(np.mean([found[name] for name in part])) for part in (BIO, BATCH))
    whole = {**found, "bio": bio, "batch": batch, "total": WEIGHT * bio + (1 - WEIGHT) * batch}
    return {name: whole[name] for name in METRICS}


def clusters(z_ND: np.ndarray, type_N: np.ndarray) -> dict[str, float]:
    """`nmi` (arithmetic mean) and `ari` of types and as many k-means clusters.

    Source: Luecken et al. 2022 (NMI, ARI), with the clusters of scib-metrics. Differs from the
    paper: k-means for clusters of a graph at the best of several resolutions.
    """
    from sklearn.cluster import KMeans
    from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

    k_means = KMeans(len(set(type_N.tolist())), n_init=STARTS, random_state=0)
    cluster_N = k_means.fit_predict(z_ND)
    return {
        "nmi": float(normalized_mutual_info_score(type_N, cluster_N)),
        "ari": float(adjusted_rand_score(type_N, cluster_N)),
    }


def kbet(z_ND: np.ndarray, type_N: np.ndarray, batch_N: np.ndarray) -> float:
    """Mean over types of the share of cells whose neighbours are a fair sample of the batches.

    Among the k nearest cells of its own type, itself included, the batches of a cell are held
    against those of the type by a chi-squared test at `ALPHA`; k is a quarter of the type's mean
    batch, within [10, 70]. A type of one batch or of fewer than 10 cells has no say.

    Source: Büttner et al. 2019 (kBET, acceptance rate); k as scIB has it. Differs from the paper:
    all cells are tested, not a sample of them.

    Raises DataError where no type has two batches.
    """
    from scipy.stats import chi2

    shares = []
    for name in np.unique(type_N):
        rows = np.flatnonzero(type_N == name)
        names, code_N = np.unique(batch_N[rows], return_inverse=True)
        if len(rows) < 10 or len(names) < 2:
            continue
        k = int(min(70, max(10, len(rows) / len(names) // 4)))
        index_NK, _ = nearest(z_ND[rows], z_ND[rows], k)
        seen_NB = (code_N[index_NK][:, :, None] == np.arange(len(names))).sum(1)
        expected_B = k * np.bincount(code_N) / len(rows)
        statistic_N = ((seen_NB - expected_B) ** 2 / expected_B).sum(1)
        shares.append(float((chi2.sf(statistic_N, len(names) - 1) >= ALPHA).mean()))
    if not shares:
        raise DataError("no type has 10 cells and two batches", "one at least")
    return float(np.mean(shares))


def pcr(z_ND: np.ndarray, batch_N: np.ndarray, before_ND: np.ndarray) -> float:
    """Share of the variance that batches explain in `before_ND` which is gone in `z_ND`, in [0, 1].

    Source: Büttner et al. 2019 (principal component regression), compared as in scIB.
    Differs from the paper: nothing.
    """
    before, after = explained(before_ND, batch_N), explained(z_ND, batch_N)
    return max(0.0, (before - after) / before) if before > 0 else 0.0


def explained(z_ND: np.ndarray, batch_N: np.ndarray) -> float:
    """Share of the variance of `z_ND` that the batches' means explain, in [0, 1].

    The sum over principal components of their variance times the R² of the batches is that share,
    whatever the axes; no decomposition is needed.

    Source: Büttner et al. 2019 (principal component regression). Differs from the paper: nothing.
    """
    centred_ND = np.asarray(z_ND, dtype=np.float64)
    centred_ND = centred_ND - centred_ND.mean(0)
    whole = float(np.square(centred_ND).sum())
    between = 0.0
    for name in np.unique(batch_N):
        own = batch_N == name
        between += own.sum() * float(np.square(centred_ND[own].mean(0)).sum())
    return between / whole if whole > 0 else 0.0


def _neighbours(z_ND: np.ndarray, k: int) -> Any:
    """The k nearest cells of each, itself among them, as scib-metrics takes them."""
    from scib_metrics.nearest_neighbors import NeighborsResults

    index_NK, square_NK = nearest(z_ND, z_ND, min(k, len(z_ND)))
    return NeighborsResults(indices=index_NK, distances=np.sqrt(square_NK))
