"""How arms are trained: the configuration's sections on pre-training, fine-tuning and
reconstruction."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from selfcell.data.section import Section
from selfcell.specs import Name, Thinning, Training, Tuning


class Pretraining(Training):
    """Budget, optimiser and seeds of pre-training."""

    cells: int | None = Field(None, ge=2, le=10**13)
    """The budget in cells instead of steps (steps = cells / batch, rounded up); null: `steps`."""
    seeds: list[Annotated[int, Field(ge=0, le=10**9)]] = Field([0, 1, 2], min_length=1)
    """One run of each method for each seed (weights, order, noise)."""
    processes: int = Field(1, ge=1, le=1024)
    """That train one model together, each on its part of every batch: one a GPU, or a core each.
    The result is that of one process but for rounding (docs/cluster.md)."""

    @model_validator(mode="before")
    @classmethod
    def _counted(cls, data: Any) -> Any:
        """`steps` from `cells`."""
        cells = data.get("cells") if isinstance(data, Mapping) else None
        if not isinstance(cells, int) or isinstance(cells, bool):
            return data
        batch = data.get("batch", cls.model_fields["batch"].default)
        if not isinstance(batch, int) or batch < 1:
            return data  # refused by its own bounds
        steps = -(-cells // batch)
        if data.get("steps", steps) != steps:
            raise ValueError(f"cells: {cells} beside steps: {data['steps']}; leave one of them out")
        return {**data, "steps": steps}

    @model_validator(mode="after")
    def _shared(self) -> Self:
        if self.batch % self.processes:
            where = f"batch: {self.batch} cells over {self.processes} processes"
            raise ValueError(f"{where}; the batch must be a multiple of the processes")
        return self


class FineTuneRegime(Section):
    """One label regime of fine-tuning."""

    labels: int | Literal["all"]
    """Labels per type (one of `labels.regimes`)."""
    draws: int = Field(3, ge=1, le=1000)
    """The first so many label draws."""


class Grid(Section):
    """Settings that tuning chooses from, the same for every arm."""

    lr: list[Annotated[float, Field(ge=1e-7, le=1.0)]] = Field([1e-4, 3e-4, 1e-3], min_length=1)
    """Learning rates of AdamW."""
    steps: list[Annotated[int, Field(ge=1, le=10**8)]] = Field([300, 1000], min_length=1)
    """Optimiser steps."""


class FineTuning(Section):
    """Fine-tuned arms: each listed method, and the same network from scratch."""

    methods: list[Name] = []
    """Methods to fine-tune; empty: no fine-tuning at all."""
    regimes: list[FineTuneRegime] = []
    """Label regimes and draws."""
    batch: int = Field(64, ge=2, le=65_536)
    """Cells a step."""
    weight_decay: float = Field(0.05, ge=0.0, le=10.0)
    """Weight decay of AdamW."""
    scratch_long: bool = True
    """Also train scratch for the pre-training and fine-tuning steps together, on the first draw
    of each regime."""
    scratch_shallow: bool = True
    """Also train a network of the first hidden layer alone from scratch, on the first draw of
    each regime."""
    tuning: str = "resources/tuning.yaml"
    """Learning rate and steps of each arm, as `make tune` chose them; empty while tuning."""
    grid: Grid = Grid()
    """What `make tune` chooses from."""


class AutoencoderTuning(Tuning):
    """Autoencoders that go on learning to reconstruct, and the same from scratch."""

    methods: list[Name] = Field(min_length=1)
    """Methods with a decoder whose models go on learning, without labels, on the halves of each
    target's pool; those of the corpora under its `fine_tune`."""
    draws: int = Field(2, ge=1, le=100)
    """The first so many divisions of the molecules."""
    steps: int = Field(100, ge=1, le=10**8)
    """Optimiser steps, at most: the best of ten looks at held-out cells of the pool is kept."""
    batch: int = Field(64, ge=2, le=65_536)
    """Cells a step."""


class Reconstruction(Thinning):
    """Gene-expression reconstruction on every target; leave the section out to do without it."""

    programmes: str = ""
    """Gene sets (a name in the registry or under `gene_sets`) that explained variance is also
    reported by; empty: by gene alone."""
    fine_tune: AutoencoderTuning | None = None
    """Autoencoders fine-tuned to reconstruct; null: frozen ones alone."""

    @model_validator(mode="after")
    def _divided(self) -> Self:
        if self.fine_tune and self.fine_tune.draws > self.draws:
            where = f"fine_tune.draws: {self.fine_tune.draws} is outside [1, {self.draws}]"
            raise ValueError(f"{where} (draws of reconstruction)")
        return self
