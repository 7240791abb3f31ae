"""Does an embedding keep cell types apart and batches together: scIB's metrics and their total.

The values are those of scib-metrics, which the tests hold them to. It is not called: jax compiles
every metric anew for each number of cells, ten seconds in each job for a third of a second's work.
Every value is 1 at best and 0 at worst, and nothing is rescaled over the embeddings that happen to
be compared.

Shape suffixes: N cells, D dimensions, K neighbours, B batches.
"""

from __future__ import annotations

import numpy as np

from selfcell.errors import DataError
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
TOLERANCE, HALVINGS = 1e-5, 50  # of the search for a cell's perplexity
STARTS = 10  # of k-means
ALPHA = 0.05  # of kBET's test


def values(
    z_ND: np.ndarray, type_N: np.ndarray, batch_N: np.ndarray, before_ND: np.ndarray
) -> dict[str, float]:
    """All of `METRICS`.

    Args:
        z_ND: the embedding. type_N, batch_N: text. before_ND: principal components of the
            expression, for `pcr`: the share of the batches' variance in them that is gone.

    Source: Luecken et al. 2022 (scIB; total = 0.6 mean of `BIO` + 0.4 mean of `BATCH`); BRAS:
    Rautenstrauch & Ohler 2025; all with the defaults of scib-metrics.
    Differs from the paper: exact neighbours; k-means with ten starts in place of one; kBET among
    the neighbours within each type in place of a diffusion map of their graph, which takes a
    hundred times as long and is another one at each run.

    Raises:
        DataError: fewer than two types or batches, or an embedding that is not finite.
    """
    for name, label_N in (("type", type_N), ("batch", batch_N)):
        if len(set(label_N.tolist())) < 2:
            raise DataError(f"integration: one {name} among the cells", "two at least")
    if not np.isfinite(z_ND).all():
        raise DataError("the embedding holds NaN or infinite values", "finite values")
    z_ND = np.ascontiguousarray(z_ND, dtype=np.float32)
    wide_NK, square_NK = nearest(z_ND, z_ND, min(WIDE, len(z_ND)))
    share_NK = shares(wide_NK, np.sqrt(square_NK, dtype=np.float64), wide_NK.shape[1] // 3)
    silhouette_N = silhouettes(z_ND, type_N)
    types, batches = len(set(type_N.tolist())), len(set(batch_N.tolist()))
    found = {
        "kbet": kbet(z_ND, type_N, batch_N),  # first, for it refuses cells that none can score
        "isolated_labels": float(np.mean(isolated(silhouette_N, type_N, batch_N))),
        "silhouette": float(silhouette_N.mean()),
        "clisi": (types - lisi(wide_NK, share_NK, type_N)) / (types - 1),
        "bras": bras(z_ND, type_N, batch_N),
        "ilisi": (lisi(wide_NK, share_NK, batch_N) - 1) / (batches - 1),
        "graph_connectivity": connectivity(wide_NK[:, :NARROW], type_N),
        "pcr": pcr(z_ND, batch_N, before_ND),
        **clusters(z_ND, type_N),
    }
    # LISI comes of a search that ends at a tolerance, and may miss its bounds by as much.
    return total({name: float(np.clip(value, 0.0, 1.0)) for name, value in found.items()})


def total(found: dict[str, float]) -> dict[str, float]:
    """Values of `BIO` and `BATCH` with their means and the total, in the order of `METRICS`.

    Source: Luecken et al. 2022 (overall score). Differs from the paper: nothing is rescaled.
    """
    bio, batch = (float(np.mean([found[name] for name in part])) for part in (BIO, BATCH))
    whole = {**found, "bio": bio, "batch": batch, "total": WEIGHT * bio + (1 - WEIGHT) * batch}
    return {name: whole[name] for name in METRICS}


def silhouettes(z_ND: np.ndarray, type_N: np.ndarray) -> np.ndarray:
    """(N,) silhouettes of the types, Euclidean, moved from [-1, 1] to [0, 1].

    Source: Rousseeuw 1987, rescaled as in scIB (cell type ASW). Differs from the paper: nothing.
    """
    from sklearn.metrics import silhouette_samples

    return np.asarray((silhouette_samples(z_ND, type_N) + 1.0) / 2.0)


def isolated(score_N: np.ndarray, type_N: np.ndarray, batch_N: np.ndarray) -> list[float]:
    """The mean score of each isolated type: one that no type stands in fewer batches than.

    Source: Luecken et al. 2022 (isolated labels, by silhouette). Differs from the paper: nothing.
    """
    names = np.unique(type_N)
    counts = np.array([len(np.unique(batch_N[type_N == name])) for name in names])
    return [float(score_N[type_N == name].mean()) for name in names[counts == counts.min()]]


def bras(z_ND: np.ndarray, type_N: np.ndarray, batch_N: np.ndarray) -> float:
    """1 less the absolute silhouette of the batches within each type, by cosine distances and
    against all other batches alike; the mean over its cells, then over types of several batches.

    Source: Rautenstrauch & Ohler 2025 (BRAS). Differs from the paper: nothing.
    """
    length_N1 = np.linalg.norm(z_ND.astype(np.float64), axis=1, keepdims=True)
    unit_ND = z_ND / np.where(length_N1 > 0, length_N1, 1.0)
    scores = []
    for name in np.unique(type_N):
        own = type_N == name
        _, code_N, count_B = np.unique(batch_N[own], return_inverse=True, return_counts=True)
        if not 1 < len(count_B) < len(code_N):
            continue
        # A cell's distances to a batch add up to the batch's size less a product with its sum.
        one_NB = np.eye(len(count_B))[code_N]
        sum_NB = count_B - unit_ND[own] @ (unit_ND[own].T @ one_NB)
        within_N, size_N = sum_NB[one_NB > 0], count_B[code_N]
        between_N = (sum_NB.sum(1) - within_N) / (len(code_N) - size_N)
        within_N = within_N / np.maximum(size_N - 1, 1)
        wider_N = np.maximum(within_N, between_N)
        far_N = wider_N > 1e-9  # all in one direction otherwise
        width_N = np.divide(between_N - within_N, wider_N, np.zeros_like(wider_N), where=far_N)
        scores.append(1.0 - float(np.abs(np.where(size_N > 1, width_N, 0.0)).mean()))
    return float(np.mean(scores))


def shares(index_NK: np.ndarray, distance_NK: np.ndarray, perplexity: float) -> np.ndarray:
    """(N, K) what each neighbour of a cell weighs, 1 in all: exp(-b distance), with the cell's own
    b for the perplexity wanted; a cell that stands among its own neighbours weighs nothing.

    Source: Korsunsky et al. 2019 (LISI). Differs from the paper: nothing.
    """
    other_NK = index_NK != np.arange(len(index_NK))[:, None]
    b_N, low_N, high_N = (np.full(len(index_NK), at) for at in (1.0, 0.0, np.inf))
    for _ in range(HALVINGS):
        weight_NK = np.exp(-distance_NK * b_N[:, None]) * other_NK
        sum_N = np.maximum(weight_NK.sum(1), np.finfo(float).tiny)
        entropy_N = np.log(sum_N) + b_N * (distance_NK * weight_NK).sum(1) / sum_N
        over_N = entropy_N - np.log(perplexity)
        if (np.abs(over_N) < TOLERANCE).all():
            break
        low_N, high_N = np.where(over_N > 0, b_N, low_N), np.where(over_N > 0, high_N, b_N)
        b_N = np.where(np.isinf(high_N), 2 * b_N, (low_N + high_N) / 2)
    return np.asarray(weight_NK / sum_N[:, None])


def lisi(index_NK: np.ndarray, share_NK: np.ndarray, label_N: np.ndarray) -> float:
    """Median over cells of how many labels their neighbours are of: the inverse of the chance that
    two of them, drawn by `shares`, are of one label; 1 at least, at most the number of labels.

    Source: Korsunsky et al. 2019 (LISI). Differs from the paper: nothing.
    """
    names, code_N = np.unique(label_N, return_inverse=True)
    seen_NK = code_N[index_NK]
    same_N = sum(np.square((share_NK * (seen_NK == code)).sum(1)) for code in range(len(names)))
    return float(np.median(1.0 / same_N))


def connectivity(index_NK: np.ndarray, type_N: np.ndarray) -> float:
    """Mean over types of the share of its cells in the largest part of the graph of neighbours
    that one gets around in without leaving the type.

    Source: Luecken et al. 2022 (graph connectivity). Differs from the paper: parts in which each
    cell reaches each other along the edges' directions, as scib-metrics has it.
    """
    from scipy.sparse import csr_matrix
    from scipy.sparse.csgraph import connected_components

    n, k = index_NK.shape
    graph = csr_matrix((np.ones(n * k), index_NK.ravel(), np.arange(0, n * k + 1, k)), (n, n))
    found = []
    for name in np.unique(type_N):
        own = np.flatnonzero(type_N == name)
        part_N = connected_components(graph[own][:, own], connection="strong")[1]
        found.append(np.bincount(part_N).max() / len(own))
    return float(np.mean(found))


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
