"""What the released code of Richter et al. 2024 did where it changes what is learned.

`protocol: published` sets `PUBLISHED`; a study of the differences takes `DEVIATIONS` one at a
time. What is not here is either the same in both protocols or concerns evaluation. Without
torch, so that the configuration can read it.

Source: the code released with Richter et al. 2024 (github.com/theislab/ssl_in_scg at 260bf31).
Differs from the paper: each entry of `DEVIATIONS` says how.

Not reproduced: the negative binomial on log-expression with an unused half of the decoder; noise
of two samplers (its law is the same); LARS's warm-up begun anew at each step, which the loss of
its momentum stands for; batch sizes and learning rates of a graphics card.
"""

from __future__ import annotations

from dataclasses import dataclass

MASKED = ("random_mask", "gene_programme", "gp_to_gp", "gp_to_tf")
PREDICTIVE = ("byol", "simsiam")
JOINT = (*PREDICTIVE, "barlow_twins")

NETWORK = {"classifier_activation": "relu"}
"""Settings outside the methods: the classifier that pre-trained SELU weights are put into."""


@dataclass(frozen=True)
class Deviation:
    """One released behaviour.

    Attributes:
        name: short, unique.
        methods: the pretext tasks concerned.
        params: hyper-parameters that bring it about.
        what: one sentence for the reader of the report.
    """

    name: str
    methods: tuple[str, ...]
    params: dict[str, str | float | bool]
    what: str


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
    ),
)

PUBLISHED: dict[str, dict[str, str | float | bool]] = {
    method: {
        key: value
        for deviation in DEVIATIONS
        if method in deviation.methods
        for key, value in deviation.params.items()
    }
    for method in (*MASKED, *JOINT)
}
"""Hyper-parameters of each method under `protocol: published`."""
