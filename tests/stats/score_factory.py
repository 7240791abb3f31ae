"""A made-up study with the shape of the real one: scores, predictions, splits, costs.

Cells have a difficulty that all arms share, seeds and draws shift an arm's skill, rare types are
harder. Nothing here is a result.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import ndtr

from selfcell.keys import generator
from selfcell.stats.predictions import COSTS, PREDICTIONS, Truth
from selfcell.stats.shared import SHARED
from selfcell.stats.table import COLUMNS

TYPES = {
    "pbmc3k": {
        "CD4 T": 579, "CD14 Mono": 244, "B": 178, "CD8 T": 165, "FCGR3A Mono": 80, "NK": 80,
        "DC": 18,
    },
    "kang_stim": {
        "CD14 Mono": 2147, "CD4 Naive T": 1526, "CD4 Memory T": 903, "CD16 Mono": 537, "B": 571,
        "CD8 T": 462, "T activated": 333, "NK": 321, "DC": 214, "B Activated": 203,
    },
    "baron": {
        "beta": 340, "alpha": 320, "ductal": 150, "acinar": 120, "delta": 80,
        "activated_stellate": 38, "gamma": 33, "endothelial": 30, "quiescent_stellate": 20,
    },
}  # fmt: skip
DONORS = {"pbmc3k": ["pbmc3k"], "kang_stim": ["unknown"], "baron": ["human3", "human4"]}
PRETEXTS = {
    "random_mask": 0.62, "gene_programme": 0.58, "gp_to_gp": 0.52, "gp_to_tf": 0.40,
    "byol": 0.55, "simsiam": 0.45, "barlow_twins": 0.54, "simclr": 0.53, "vicreg": 0.52,
    "gene_programme_permuted_1": 0.585, "gene_programme_permuted_2": 0.575,
    "random_mask_matched": 0.61,
}  # fmt: skip
GAIN = {"3": 0.0, "10": 0.35, "30": 0.6, "all": 0.8}


@dataclass(frozen=True)
class Entry:
    """An arm of the made-up study: skill is a normal quantile."""

    method: str
    corpus: str
    init: str
    mode: str
    readout: str
    skill: float
    regimes: tuple[str, ...]
    seeds: int
    draws: int


@dataclass(frozen=True)
class Made:
    """The made-up tables."""

    scores: pd.DataFrame
    predictions: pd.DataFrame
    costs: pd.DataFrame
    shared: pd.DataFrame
    truths: dict[str, Truth]

    def save(self, folder: Path) -> list[Path]:
        """Write the split files; returns their paths."""
        paths = []
        for name, truth in self.truths.items():
            labels = [truth.classes[code] for code in truth.code_N]
            pool = [c for c, n in zip(truth.classes, truth.pool, strict=True) for _ in range(n)]
            split = {
                "target": name, "classes": list(truth.classes), "test_labels": labels,
                "test_donors": list(truth.donors_N), "pool_labels": pool, "shared": [],
            }  # fmt: skip
            path = folder / f"{name}.json"
            path.write_text(json.dumps(split))
            paths.append(path)
        return paths


def arms(target: str, pretexts: Sequence[str], seeds: int, draws: int) -> list[Entry]:
    """Every arm of a target in the default study's layout."""
    few = ("3", "10", "30")
    shift = -0.9 if target == "baron" else 0.0
    made: list[Entry] = []
    corpora = ["kang_ctrl", "baron_pool"] if target == "baron" else ["kang_ctrl"]
    for corpus in corpora:
        extra = 0.9 if corpus == "baron_pool" else 0.0
        for method in pretexts:
            base = PRETEXTS[method] + shift + extra
            for readout, less in (("probe", 0.0), ("prototype", 0.05), ("knn1", 0.1)):
                how = ("pretrained", "frozen", readout)
                made.append(Entry(method, corpus, *how, base - less, few, seeds, draws))
    if "random_mask" in pretexts:
        how = ("pretrained", "frozen", "probe")
        skill = 0.1 + shift
        made.append(Entry("random_mask", "kang_ctrl_shuffled", *how, skill, few, seeds, draws))
        how = ("pretrained", "fine-tuned", "head")
        made += _fine_tuned(Entry("random_mask", corpora[-1], *how, 0.66, (), seeds, 3))
    for name, skill in (("scratch", 0.5), ("scratch_long", 0.55)):
        made += _fine_tuned(
            Entry(name, "none", "random", "fine-tuned", "head", skill, (), seeds, 3)
        )
    for method, corpus, init, readout, skill, n in (
        ("pca", "kang_ctrl", "none", "probe", 0.5 + shift, 1),
        ("pca", "kang_ctrl", "none", "prototype", 0.5 + shift, 1),
        ("pca", "own_pool", "none", "probe", 0.56, 1),
        ("pca", "own_pool", "none", "prototype", 0.58, 1),
        ("logreg", "none", "none", "none", 0.6, 1),
        ("random_encoder", "none", "random", "probe", 0.1, seeds),
        ("random_projection", "none", "random", "probe", 0.2, seeds),
        ("majority", "none", "none", "none", -9.0, 1),
    ):
        made.append(Entry(method, corpus, init, "baseline", readout, skill, few, n, draws))
    return made


def _fine_tuned(entry: Entry) -> Iterator[Entry]:
    from dataclasses import replace

    yield replace(entry, regimes=("10",))
    yield replace(entry, regimes=("all",), draws=1)


def truth(target: str, scale: float = 1.0) -> Truth:
    """Test cells of a target, its types' numbers multiplied by `scale` (16 at least)."""
    counts = {name: max(16, round(n * scale)) for name, n in TYPES[target].items()}
    codes = np.repeat(np.arange(len(counts)), list(counts.values())).astype(np.int16)
    rng = generator("factory", target)
    donors = rng.choice(DONORS[target], size=len(codes)).astype(object)
    pool = [max(22, round(0.9 * n)) for n in counts.values()]
    return Truth(target, list(counts), codes, donors, pool)


def study(
    targets: Sequence[str] = ("pbmc3k",),
    pretexts: Sequence[str] = ("random_mask", "byol"),
    seeds: int = 3,
    draws: int = 10,
    scale: float = 0.3,
) -> Made:
    """Make a study. The default is small enough for quick tests."""
    truths = {name: truth(name, scale) for name in targets}
    score_rows: list[dict[str, object]] = []
    predicted_rows: list[dict[str, object]] = []
    for name, own in truths.items():
        hard_N = generator("hard", name).normal(size=len(own.code_N))
        for entry in arms(name, pretexts, seeds, draws):
            for regime in entry.regimes:
                for seed in range(entry.seeds):
                    for draw in range(entry.draws):
                        run, codes = _run(own, entry, regime, seed, draw, hard_N)
                        predicted_rows.append({**run, "predicted": codes})
                        score_rows += _scores(own, run, codes)
    costs = [
        {
            "study": "made", "rule": "pretrain", "corpus": "kang_ctrl", "target": "none",
            "method": method, "seed": seed, "wall_s": 20.0, "cpu_s": 30.0 + seed, "gpu_s": 0.0,
            "peak_mb": 900.0, "run_hash": f"{method}{seed}",
        }
        for method in pretexts
        for seed in range(seeds)
    ]  # fmt: skip
    return Made(
        pd.DataFrame(score_rows)[COLUMNS],
        pd.DataFrame(predicted_rows)[PREDICTIONS.names],
        pd.DataFrame(costs)[COSTS.names],
        shared_variance(truths),
        truths,
    )


def shared_variance(truths: Mapping[str, Truth]) -> pd.DataFrame:
    """A made-up index of every corpus on every target, 0.1 higher from one to the next."""
    corpora = ("baron_pool", "kang_ctrl", "kang_ctrl_shuffled")
    pairs = [(name, corpus) for name in truths for corpus in corpora]
    frame = pd.DataFrame(pairs, columns=["target", "corpus"])
    frame["shared_variance"] = 0.2 + 0.1 * np.arange(len(frame))
    frame = frame.assign(by_own=0.5, axes=50, n_corpus=900, n_own=90, n_test=80)
    return frame.assign(by_corpus=frame.by_own * frame.shared_variance)[SHARED.names]


def _run(
    own: Truth, entry: Entry, regime: str, seed: int, draw: int, hard_N: np.ndarray
) -> tuple[dict[str, object], np.ndarray]:
    n_classes = len(own.classes)
    by_seed = generator("s", own.target, entry.method, entry.corpus, seed).normal() * 0.04
    by_draw = generator("d", own.target, regime, draw).normal() * 0.12
    rng = generator("r", own.target, str(entry), regime, seed, draw)
    rare_C = 0.25 * np.log(np.array(own.pool) / max(own.pool))
    level_N = entry.skill + GAIN[regime] + by_seed + by_draw + rare_C[own.code_N] + 0.5
    noise_N = rng.normal(size=len(hard_N))
    right_N = rng.uniform(size=len(hard_N)) < ndtr((level_N - 0.8 * hard_N + 0.2 * noise_N) / 0.6)
    wrong_N = (own.code_N + rng.integers(1, n_classes, size=len(hard_N))) % n_classes
    codes = np.where(right_N, own.code_N, wrong_N).astype(np.int16)
    if entry.method == "majority":
        codes = np.zeros_like(codes)
    run = {
        "study": "made", "corpus": entry.corpus, "target": own.target, "split": "0123abcd",
        "method": entry.method, "init": entry.init, "regime": regime, "seed": seed, "draw": draw,
        "readout": entry.readout, "mode": entry.mode,
    }  # fmt: skip
    return run, codes


def f1_by_class(true_N: np.ndarray, codes_N: np.ndarray, n_classes: int) -> np.ndarray:
    """(C,) F1 of each class, counted the plain way."""
    scores = []
    for code in range(n_classes):
        hits = np.sum((true_N == code) & (codes_N == code))
        scores.append(2 * hits / max(np.sum(true_N == code) + np.sum(codes_N == code), 1))
    return np.array(scores, dtype=float)


def _scores(own: Truth, run: dict[str, object], codes: np.ndarray) -> Iterator[dict[str, object]]:
    each_C = f1_by_class(own.code_N, codes, len(own.classes))
    labels = sum(own.pool) if run["regime"] == "all" else int(str(run["regime"])) * len(own.classes)
    shared = {
        **run, "protocol": "intended", "task": "annotate", "higher_is_better": True,
        "status": "ok", "n_labels": labels, "n_train": sum(own.pool), "n_test": len(codes),
        "run_hash": f"{run['method']}-{run['corpus']}-{run['seed']}",
    }  # fmt: skip
    yield {**shared, "level": "overall", "label": "", "metric": "macro_f1", "value": each_C.mean()}
    for label, value in zip(own.classes, each_C, strict=True):
        yield {**shared, "level": "type", "label": label, "metric": "f1", "value": value}
