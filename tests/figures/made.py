"""Input tables of every figure, made up: small, and with all pretext tasks on three targets."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import score_factory as factory

from selfcell import figures
from selfcell.claims import load
from selfcell.figures import (
    arms,
    claims,
    collapse,
    confusion,
    contrasts,
    cost,
    embedding,
    gain_map,
    integration,
    label_efficiency,
    pretexts,
    programmes,
    protein,
    qc,
    reconstruction,
    sweeps,
    training,
    unseen,
)
from selfcell.stats.by_type import changes
from selfcell.stats.claims import Ours, ledger
from selfcell.stats.contrasts import Spec, contrast_table
from selfcell.stats.health import HEALTH
from selfcell.stats.published import FOLDER
from selfcell.stats.table import overall
from tests.tree import REPO

RELEASED = REPO / "results" / "released" / "default" / "figures"
PRETEXTS = tuple(factory.PRETEXTS)
SMALL = ("random_mask", "byol", "gene_programme", "gene_programme_permuted_1")
ROLES = {("baron", "kang_ctrl"): "negative control"}
SPEC = Spec(resamples=20, negative_controls={"baron": ["kang_ctrl"]})
ENTRIES = (
    *(
        sweeps.Entry(
            name, "random_mask", "kang_ctrl", n, "random_mask", {"rate": 0.5, "loss": "mse"}
        )
        for name, n in (("kang_ctrl", 6041), ("kang_ctrl_600", 570), ("kang_ctrl_2000", 1900))
    ),
    *(
        sweeps.Entry(
            "kang_ctrl", f"random_mask_{n}", "kang_ctrl", 6041, "random_mask",
            {"rate": n / 100, "loss": "mse"},
        )
        for n in (25, 75)
    ),
    sweeps.Entry(
        "kang_ctrl", "random_mask_nb", "kang_ctrl", 6041, "random_mask", {"rate": 0.3, "loss": "nb"}
    ),
    sweeps.Entry("kang_ctrl", "byol", "kang_ctrl", 6041, "byol", {"momentum": 0.99}),
)  # fmt: skip
CELLS = {"kang_ctrl": 6041, "baron_pool": 875}


def histories(tasks: tuple[str, ...]) -> dict[tuple[str, str, int], pd.DataFrame]:
    runs = {}
    for number, method in enumerate(tasks):
        for corpus in ("kang_ctrl", "baron_pool"):
            for seed in range(2):
                step = np.arange(20.0, 401.0, 20.0)
                gate = "skill" if number % 2 else "retrieval"
                values = {"step": step, "loss": 1 / step + seed, gate: step * (seed + 1)}
                values |= {"rank": 10.0 + number + seed * step / 400, "spread": 0 * step + 0.5}
                values |= {"gate": 0 * step + 0.05} if gate == "skill" else {}
                runs[(corpus, method, seed)] = pd.DataFrame(values)
    return runs


def cells() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    parts = []
    for target in ("pbmc3k", "baron"):
        names = list(factory.TYPES[target])
        for method in ("random_mask", "pca"):
            label = rng.integers(0, len(names), 300)
            centre = 6 * rng.normal(size=(len(names), 2))
            xy = centre[label] + rng.normal(size=(300, 2))
            part = {"umap1": xy[:, 0], "umap2": xy[:, 1], "label": [names[i] for i in label]}
            batch = rng.choice(factory.DONORS[target], 300)
            parts.append(
                pd.DataFrame(part).assign(
                    target=target, corpus="kang_ctrl", method=method, batch=batch, extra=1
                )
            )
    return pd.concat(parts, ignore_index=True)


def quality() -> dict[str, pd.DataFrame]:
    rng = np.random.default_rng(1)
    found = {}
    for name, share in (("kang", False), ("pbmc3k", True), ("baron", False)):
        counts = np.exp(rng.normal(7.6, 0.5, 500)).astype(int)
        frame = pd.DataFrame({"total_counts": counts, "n_genes": (counts**0.88).astype(int)})
        frame["pct_mito"] = rng.gamma(3, 0.8, 500) if share else np.nan
        frame["reason"] = np.where(rng.uniform(size=500) < 0.02, "few_genes", "")
        found[name] = frame
    return found


def health(tasks: tuple[str, ...]) -> pd.DataFrame:
    """Models of some tasks; one did not learn, one diverged."""
    rows = []
    for number, method in enumerate(tasks):
        for corpus in ("kang_ctrl", "baron_pool", "kang_ctrl_shuffled")[: 3 - number % 2]:
            for seed in range(2):
                skill = number % 2 == 0
                row = {"study": "made", "corpus": corpus, "method": method, "seed": seed}
                row |= {"status": "ok", "gate": "skill" if skill else "retrieval"}
                row |= {"value": 0.2 if skill else 24.0 + seed, "threshold": 0.05 if skill else 10}
                row |= {"effective_rank": 20.0 + 2 * number, "spread": 0.3 + 0.2 * number}
                row |= {"difficulty": 1.0 if skill else None}
                row |= {"alignment": None if skill else 0.3 + 0.1 * seed}
                row |= {"uniformity": None if skill else -1.0 - 0.1 * seed}
                if corpus == "kang_ctrl_shuffled":
                    row |= {"status": "not_learned", "value": -0.001}
                rows.append(row)
    frame = pd.DataFrame(rows, columns=HEALTH.names)
    measures = ["value", "threshold", "effective_rank", "spread", "alignment", "uniformity"]
    last = frame.index == len(frame) - 1
    frame.loc[last, [*measures, "difficulty"]] = np.nan
    frame.loc[last, ["status", "gate"]] = "diverged", "none"
    return frame.astype(dict.fromkeys(measures, float))


def other_tasks(scores: pd.DataFrame) -> pd.DataFrame:
    """Scores of annotation turned into some of reconstruction and proteins, and of micro-F1."""
    rows = scores[(scores.metric == "macro_f1") & (scores.regime == "10")]
    read = {"probe": "ridge", "head": "head", "none": "none"}
    own = rows[rows.readout.isin(list(read))]
    own = own.assign(readout=own.readout.map(read), value=own.value / 3)
    held = own[own["mode"] != "fine-tuned"].assign(task="reconstruction", regime="none")
    parts = [rows.assign(metric="micro_f1", value=(1 + rows.value) / 2)]
    parts += [held.assign(metric=name) for name in reconstruction.METRICS]
    one = own[own.target == own.target.iloc[0]]
    one = one.assign(task="protein", regime="all", target="cite_200")
    parts += [one.assign(metric=name) for name in protein.METRICS]
    mixed = held[(held.draw == 0) & (held.target == own.target.iloc[0])]
    mixed = mixed.assign(task="integrate", target="baron_donors", readout="none")
    parts += [mixed.assign(metric=name) for name in (*integration.DRAWN, "nmi")]
    far = rows[rows.target == own.target.iloc[0]]
    far = far[far.readout.isin(["probe", "none"]) & (far["mode"] != "fine-tuned")]
    far = far.assign(task="unseen", target="kang_to_pbmc3k", regime="30")
    parts.append(far)
    for kind, loss in (("removed", 0.2), ("renamed", 0.4)):
        parts += [
            far.assign(
                level="genes", label=f"{kind} {share:g}", value=far.value * (1 - loss * share)
            )
            for share in (0.25, 0.5)
        ]
    return pd.concat([scores, *parts], ignore_index=True)


@functools.cache
def made_table(name: str, size: str) -> pd.DataFrame:
    """The input table of a figure: of a few pretext tasks on one target, or of all on all."""
    if size == "small":
        targets, tasks = ("pbmc3k",), SMALL
    else:
        targets, tasks = ("pbmc3k", "kang_stim", "baron"), PRETEXTS
    if name in ("embedding", "qc", "training", "collapse"):
        return {
            "embedding": lambda: embedding.summary(cells()),
            "qc": lambda: qc.summary(quality()),
            "training": lambda: training.summary(histories(tasks)),
            "collapse": lambda: collapse.summary(health(tasks)),
        }[name]()
    made = made_study(targets, tasks)
    scores = other_tasks(made.scores)
    f1 = overall(made.scores, "macro_f1")
    return {
        "claims": lambda: claims.summary(ledger_of(made)),
        "contrasts": lambda: contrasts.summary(compared(targets, tasks)),
        "gain_map": lambda: gain_map.summary(compared(targets, tasks), CELLS),
        "programmes": lambda: programmes.summary(f1, compared(targets, tasks)),
        "cost": lambda: cost.summary(compared(targets, tasks), made.costs),
        "label_efficiency": lambda: label_efficiency.summary(f1, ROLES),
        "sweeps": lambda: sweeps.summary(overall(swept(targets, tasks), "macro_f1"), ENTRIES),
        "pretexts": lambda: pretexts.summary(f1, ROLES),
        "arms": lambda: arms.summary(scores, ROLES),
        "per_type": lambda: changes(made.scores, made.truths, SPEC),
        "confusion": lambda: confusion.summary(made.predictions, f1, made.truths),
        "reconstruction": lambda: reconstruction.summary(scores),
        "protein": lambda: protein.summary(scores),
        "integration": lambda: integration.summary(scores),
        "unseen": lambda: unseen.summary(scores),
    }[name]()


def swept(targets: tuple[str, ...], tasks: tuple[str, ...]) -> pd.DataFrame:
    """Scores of a made-up study with parts of a corpus and rates of a mask beside."""
    scores = made_study(targets, tasks).scores
    own = scores[(scores.method == "random_mask") & (scores.corpus == "kang_ctrl")]
    parts = [own.assign(corpus=f"kang_ctrl_{n}", value=own.value - 20 / n) for n in (600, 2000)]
    rates = [own.assign(method=f"random_mask_{n}", value=own.value - n / 9000) for n in (25, 75)]
    return pd.concat([scores, *parts, *rates], ignore_index=True)


@functools.cache
def compared(targets: tuple[str, ...], tasks: tuple[str, ...]) -> pd.DataFrame:
    """Contrasts of a made-up study."""
    made = made_study(targets, tasks)
    return contrast_table(made.scores, made.predictions, made.truths, SPEC)


def ledger_of(made: factory.Made) -> pd.DataFrame:
    """The paper's claims held against a made-up study."""
    compared = contrast_table(made.scores, made.predictions, made.truths, Spec(resamples=20))
    ours = Ours(compared, made.scores, changes(made.scores, made.truths, SPEC))
    return ledger(load(REPO / "resources/claims.yaml"), ours, "made", REPO / FOLDER)


@functools.cache
def made_study(targets: tuple[str, ...], tasks: tuple[str, ...]) -> factory.Made:
    return factory.study(targets, tasks, seeds=2, draws=2, scale=0.08)


@functools.cache
def read_back(name: str, size: str) -> pd.DataFrame:
    """A table after its round trip through csv, as the figure gets it; or the released one."""
    if size == "released":
        return figures.read_table(RELEASED / f"{name}.csv")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{name}.csv"
        figures.write_table(made_table(name, size), path)
        return figures.read_table(path)
