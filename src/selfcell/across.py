"""Entries of the configuration for tasks over several data sets: integration and unseen data."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from selfcell.data.section import Section
from selfcell.data.specs import CorpusSource
from selfcell.specs import Name, Readout


class IntegrationTarget(Section):
    """Cells of several batches that shall lie together, types apart."""

    name: Name
    """Names the target in every table."""
    sources: tuple[CorpusSource, ...] = Field(min_length=1)
    """Its cells. Of several data sets those whose labels `types` names."""
    batch: Literal["donor", "batch", "condition", "dataset"]
    """What a batch is: a column, or the data set itself."""
    corpora: list[Name] = Field(min_length=1)
    """Corpora whose frozen models are evaluated here."""
    fine_tune: list[Name] = []
    """Corpora whose models (those of `fine_tuning.methods` that need no gene sets) also go on
    learning, without labels, on its cells; beside them the same steps from scratch."""


class Integration(Section):
    """Data integration by scIB's metrics (extra `integration`); leave the section out to do
    without it."""

    targets: list[IntegrationTarget] = Field(min_length=1)
    """Each with a name of its own, also among the other targets."""
    methods: list[Name] | None = None
    """Methods evaluated; null: all."""
    seeds: int = Field(1, ge=1, le=1000)
    """The first so many pre-training seeds, or all where there are fewer."""
    max_cells: int = Field(3000, ge=100, le=10**7)
    """At most so many cells of each target."""
    min_cells: int = Field(10, ge=1, le=10**6)
    """A type with fewer of them is left out."""
    steps: int = Field(100, ge=1, le=10**8)
    """Optimiser steps without labels on the target's cells."""
    rivals: list[str] = ["pca", "harmony", "random_encoder", "random_embedding", "batch_only",
                         "perfect"]  # fmt: skip
    """pca, harmony, scvi (extra `scvi`; left out with a message where it is not installed) and
    controls."""


class UnseenTarget(Section):
    """One study's labels for the cells of another that nothing was learned from."""

    name: Name
    """Names the target in every table."""
    reference: CorpusSource
    """Labelled cells."""
    query: Name
    """The annotation target whose test cells are annotated; of another data set."""
    corpora: list[Name] = Field(min_length=1)
    """Corpora whose frozen models are evaluated here; none may hold cells of the query's data
    set."""


class Unseen(Section):
    """Unseen data and genes that are missing there; leave the section out to do without it."""

    targets: list[UnseenTarget] = Field(min_length=1)
    """Each with a name of its own, also among the other targets; labels meet through `types`."""
    methods: list[Name] | None = None
    """Methods evaluated; null: all."""
    shares: list[Annotated[float, Field(gt=0.0, lt=1.0)]] = [0.1, 0.25, 0.5, 0.75]
    """Shares of the query's genes that are removed, or whose names are mixed up."""
    labels: int | Literal["all"] = 30
    """Labels of the reference per type."""
    draws: int = Field(3, ge=1, le=1000)
    """Draws of labels and of genes."""
    max_cells: int = Field(2000, ge=10, le=10**8)
    """At most so many cells of the query."""
    readouts: list[Readout] = Field(["probe", "prototype"], min_length=1)
    """Of frozen networks and PCA."""
    rivals: list[str] = ["pca", "logreg", "logreg_shared", "random_encoder",
                         "majority", "permuted", "perfect"]  # fmt: skip
    """Simple arms and controls; logreg_shared is fitted anew on the genes that are left."""
