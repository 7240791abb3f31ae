"""What the released code of Richter et al. 2024 did where it changes what is learned.

`protocol: published` takes all `DEVIATIONS` of a method together. `deviations:` in a configuration
trains them one at a time: each alone under `protocol: intended`, all but each under `protocol:
published`. How the released code evaluated is not here: its readouts
and metrics are computed in every study (`RE_SCORED`). Without torch, so that the configuration
can read it.

Source: the code released with Richter et al. 2024 (github.com/theislab/ssl_in_scg at 260bf31).
Differs from the paper: each entry of `DEVIATIONS` says how.

Not reproduced: the negative binomial on log-expression with an unused half of the decoder; noise
of two samplers (its law is the same); LARS's warm-up begun anew at each step, which the loss of
its momentum stands for; batch sizes and learning rates of a graphics card.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

MASKED = ("random_mask", "gene_programme", "gp_to_gp", "gp_to_tf")
PREDICTIVE = ("byol", "simsiam")
JOINT = (*PREDICTIVE, "barlow_twins")


@dataclass(frozen=True)
class Deviation:
    """One released behaviour.

    Attributes:
        name: short, unique.
        methods: the pretext tasks concerned.
        params: hyper-parameters that bring it about.
        what: one sentence for the reader of the report.
        network: settings of the network that the pre-trained weights are put into.
        on: the deviation without which it changes nothing: alone means on top of that one, and
            its effect is the difference from that one.
    """

    name: str
    methods: tuple[str, ...]
    params: dict[str, str | float | bool]
    what: str
    network: Mapping[str, Any] = field(default_factory=dict)
    on: str = ""

    def arm(self, task: str, protocol: str) -> str:
        """Name of a pretext task with this deviation alone, or with all but this one."""
        if protocol == "published":
            return f"{task}-without-{self.name}"
        return "-".join(part for part in (task, self.on, self.name) if part)

    def base(self, task: str, protocol: str) -> str:
        """Name of the arm that the one above differs from by this deviation."""
        return f"{task}-{self.on}" if self.on and protocol == "intended" else task


DEVIATIONS: tuple[Deviation, ...] = (
    Deviation(
        "sigmoid",
        MASKED,
        {"output": "sigmoid"},
        "The decoder ends in a sigmoid, though log-expression reaches 9.",
    ),
    Deviation(
        "average_all",
        MASKED,
        {"average": "all"},
        "The loss is divided by all entries, so its scale depends on the masking rate.",
    ),
    Deviation(
        "rescale",
        ("random_mask", "gene_programme"),
        {"rescale": True},
        "Visible inputs are divided by the visible share, in pre-training alone.",
    ),
    Deviation(
        "batch_mask",
        ("gene_programme",),
        {"of": "programmes", "per_batch": True},
        "A share of the programmes, not of the genes, is hidden; the same for a whole batch.",
    ),
    Deviation(
        "no_mask",
        ("gp_to_gp", "gp_to_tf"),
        {"isolate": False},
        "The branch that masks was never taken: a plain autoencoder is trained.",
    ),
    Deviation(
        "hook",
        PREDICTIVE,
        {"hook_layer": -2},
        "The projector reads the last but one layer; the last gets no gradient, yet is used.",
    ),
    Deviation(
        "frozen_target",
        ("byol",),
        {"moves": False},
        "The target network keeps its initial, random weights.",
    ),
    Deviation(
        "lars_reset",
        ("barlow_twins",),
        {"lars_momentum": 0.0},
        "LARS is made anew at each step and so has no momentum.",
    ),
    Deviation(
        "clean_view",
        ("barlow_twins",),
        {"clean_second": True},
        "The second view is the cell as it is.",
    ),
    Deviation(
        "mild_views",
        JOINT,
        {"p": 0.3, "input_dropout": 0.1},
        "Three views in ten get each augmentation, and it drops a tenth: views differ little.",
    ),
    Deviation(
        "batch_views",
        JOINT,
        {"per_batch": True},
        "Whether a cell is augmented is decided once for a whole batch.",
        on="mild_views",
    ),
    Deviation(
        "relu",
        (*MASKED, *JOINT),
        {},
        "Weights trained with SELU are put into a network with ReLU, frozen or fine-tuned.",
        {"activation": "relu"},
    ),
    Deviation(
        "no_dropout",
        (*MASKED, *JOINT),
        {},
        "On the whole atlas, pre-trained networks are fine-tuned without dropout, scratch with it.",
        {"dropout": 0.0},
    ),
)

CONTROLS = dict.fromkeys(("gene_programme_permuted", "random_mask_matched"), "gene_programme")
"""Controls of our own and what they stand beside: under `protocol: published` they take all that
it does, so that they differ from it by their one change. They have no deviation of their own."""

SCRATCH: dict[str, Any] = {"activation": "relu"}
"""Settings of the network trained from scratch under `protocol: published`."""

RE_SCORED: dict[str, str] = {
    "knn5_drop": "The nearest neighbour is dropped, though no query is among the reference cells.",
    "head": "Fine-tuned networks are judged by neighbours of their code, not by their own head.",
    "macro_f1_union": "Macro-F1 runs over true and predicted types; one without test cells is 0.",
    "ev_batches": "Explained variance is the mean of the values of batches of 1,024 cells.",
    "pca_refitted": "PCA is fitted anew on the test cells, so pool and test lie in two spaces.",
}
"""Released ways of evaluating, which every study computes beside its own."""


def settings(
    task: str, protocol: str, changed: Deviation | None = None
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Hyper-parameters of a pretext task, and settings of the network that its weights are put
    into, as far as the released code decides them.

    Args:
        protocol: "intended", which has no deviation, or "published", which has them all.
        changed: the one that is the other way round.

    Returns:
        Two dictionaries, empty for a task that the study did not have, unless it is one of the
        `CONTROLS`.
    """
    task = CONTROLS.get(task, task)
    every = [deviation for deviation in DEVIATIONS if task in deviation.methods]
    if protocol == "published":
        taken = [deviation for deviation in every if deviation is not changed]
    else:
        taken = [each for each in every if changed and each.name in (changed.on, changed.name)]
    params: dict[str, Any] = {}
    network: dict[str, Any] = {}
    for deviation in taken:
        params |= deviation.params
        network |= deviation.network
    return params, network
