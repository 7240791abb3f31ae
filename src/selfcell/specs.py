"""What a job is told: the slice of the configuration that defines it, as one JSON string.

The workflow builds these from the configuration; the scripts read them back. No script imports
`selfcell.config`, so a new key there re-runs nothing.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field

from selfcell.data.registry import NAME
from selfcell.data.section import Section
from selfcell.data.specs import CorpusSource, CorpusSpec, LabelSpec

Name = Annotated[str, Field(pattern=NAME)]
Readout = Literal["probe", "prototype", "knn1", "knn5"]
RIVALS = "rivals"


def _not_gpu(value: object) -> object:
    """The nearest word to gpu would be cpu."""
    if value == "gpu":
        raise ValueError("a GPU is called 'cuda' here")
    return value


Device = Annotated[Literal["auto", "cpu", "cuda"], BeforeValidator(_not_gpu)]


class Network(Section):
    """Encoder (mirrored by decoders), shared by every arm."""

    hidden: list[Annotated[int, Field(ge=1, le=65_536)]] = Field(
        [512, 512, 256, 256, 64], min_length=1
    )
    """Layer widths; the last is the embedding's."""
    activation: Literal["selu", "relu"] = "selu"
    """After each layer."""
    dropout: float = Field(0.1, ge=0.0, le=0.9)
    """Probability of dropping a hidden unit in training."""


class Training(Section):
    """Budget and optimiser, the same for every method that does not state its own."""

    steps: int = Field(400, ge=1, le=10**8)
    """Optimiser steps, at most: the budget."""
    max_epochs: float | None = Field(None, gt=0.0, le=10**8)
    """Passes over the corpus after which a run ends before its last step; null: no such end."""
    max_minutes: float | None = Field(None, gt=0.0, le=10**6)
    """Minutes of training, over all attempts, after which a run ends before its last step; null: no
    such end. How far a run comes then depends on the machine: for a look, not for a comparison."""
    patience: int | None = Field(None, ge=1, le=10**6)
    """Early stopping: looks in which the least validation loss so far may stand before a run ends,
    with the weights of that look. null: every run takes its whole budget."""
    batch: int = Field(256, ge=2, le=65_536)
    """Cells a step."""
    lr: float = Field(1e-3, ge=1e-7, le=1.0)
    """Learning rate of AdamW."""
    weight_decay: float = Field(0.01, ge=0.0, le=10.0)
    """Weight decay of AdamW."""
    clip: float = Field(1.0, ge=1e-3, le=1e6)
    """L2 norm that gradients are clipped to."""
    decay_every: int = Field(2, ge=0, le=10**6)
    """Epochs between decays of the learning rate; 0: never."""
    decay: float = Field(0.9, ge=0.01, le=1.0)
    """Factor of each decay."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """auto: bfloat16 where the processor or the GPU computes in it, else float32."""
    device: Device = "auto"
    """Where networks are trained: cuda is a GPU; auto takes one where there is one, else the
    processor. Each gives other bits."""


class Job(Section):
    """What every job's slice begins with; `from_json` reads what `to_json` wrote."""

    study: Name
    """Of the score table."""
    protocol: Literal["intended", "published", "mixed"]
    """Of the score table."""

    def to_json(self) -> str:
        """One line; the same settings give the same text."""
        return self.model_dump_json()

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Raises pydantic's ValidationError on a slice of another form."""
        return cls.model_validate_json(text)


class Arm(Job):
    """What the slice of an evaluation of one network holds of the arm it is."""

    corpus: Name
    method: Name
    seed: int

    def keys(self, init: str, mode: str, run_hash: str) -> dict[str, str | int]:
        """Columns of the score table that are the same in all rows of the job."""
        own = {"study": self.study, "protocol": self.protocol, "corpus": self.corpus}
        own |= {"method": self.method, "init": init, "mode": mode, "run_hash": run_hash}
        return {**own, "seed": self.seed}


class PretrainSpec(Job):
    """All that a pre-training run depends on beside its data and its code."""

    corpus: CorpusSpec
    method: Name
    task: Name
    params: dict[str, Any]
    network: Network
    training: Training
    seed: int
    processes: int = 1
    """That train it together; another number gives other bits."""


class Thinning(Section):
    """Expression of held-out molecules: what it is learned from and scored on."""

    max_cells: int = Field(1000, ge=10, le=10**8)
    """At most so many cells of each target's pool, and as many of its test cells, the same for
    every arm."""
    draws: int = Field(2, ge=1, le=100)
    """Divisions of each cell's molecules into a half to encode and a half to score."""


Normalisation = Literal["clr", "log1p"]


class Tuning(Section):
    """Fine-tuning for a task without labels, the same for every arm."""

    draws: int = Field(2, ge=1, le=1000)
    """The first so many draws."""
    steps: int = Field(150, ge=1, le=10**8)
    """Optimiser steps, at most: the best of ten looks at held-out training cells is kept."""
    batch: int = Field(32, ge=2, le=65_536)
    """Cells a step."""
    lr: list[Annotated[float, Field(ge=1e-7, le=1.0)]] = Field([3e-4, 1e-3], min_length=1)
    """Learning rates of AdamW; each run chooses among them on held-out training cells."""
    weight_decay: float = Field(0.01, ge=0.0, le=10.0)
    """Weight decay of AdamW."""


class ProteinTuning(Tuning):
    """Fine-tuning of encoder and protein head."""

    n_train: list[int | Literal["all"]] = ["all"]
    """Regimes (of the targets' `n_train`) to fine-tune in, at `draws` of each."""


class Mixture(Section):
    """Cells of several batches whose types are known."""

    sources: tuple[CorpusSource, ...]
    batch: Literal["donor", "batch", "condition", "dataset"]
    """What a batch is: a column, or the data set itself."""
    types: dict[str, dict[str, tuple[str, ...]]]
    """Common types (`selfcell.data.types`); empty: the labels as they are."""
    min_cells: int
    max_cells: int


class Afar(Section):
    """One study's labels for the cells of another, with genes missing there."""

    reference: CorpusSource
    query: Name
    """The target whose test cells are annotated."""
    types: dict[str, dict[str, tuple[str, ...]]]
    shares: list[float]
    labels: LabelSpec
    max_cells: int
    readouts: list[Readout]


class FrozenSpec(Arm):
    """Readouts of a frozen model on its targets."""

    network: Network
    """What the weights are put into."""
    readouts: list[Readout]
    reconstruction: Thinning | None = None
    """None: not asked for."""
    protein: Normalisation | None = None
    """None: no protein target."""
    integrate: dict[Name, Mixture] = {}
    unseen: dict[Name, Afar] = {}


class ProteinSpec(Arm):
    """A fine-tuned arm on a protein target, or all rivals there (method `RIVALS`)."""

    protein: Name
    seeds: list[int]
    """Of the rivals with random weights."""
    normalisation: Normalisation
    tuning: ProteinTuning
    clip: float
    precision: Literal["auto", "float32", "bfloat16"]
    device: Device = "auto"
    network: Network


class ReconstructSpec(Arm):
    """An autoencoder that goes on learning on the pools of its targets, from a model or scratch."""

    thinning: Thinning
    tuning: Tuning
    heads: list[dict[str, str]]
    """Of scratch, params `loss` and `output` of the methods that it stands beside."""
    clip: float
    precision: Literal["auto", "float32", "bfloat16"]
    device: Device = "auto"
    network: Network


class TunedRegime(Section):
    """A label regime with the settings that tuning chose for the arm."""

    labels: str
    draws: int
    lr: float
    steps: int


class FineTuneSpec(Arm):
    """A fine-tuning job: all regimes and draws of one arm, seed and target."""

    target: Name
    regimes: list[TunedRegime]
    batch: int
    weight_decay: float
    clip: float
    precision: Literal["auto", "float32", "bfloat16"]
    device: Device = "auto"
    network: Network


class BaselineSpec(Job):
    """Simple rivals of one target."""

    target: Name
    corpora: list[CorpusSpec]
    baselines: list[str]
    readouts: list[Readout]
    network: Network
    training: Training
    seeds: list[int]
    reconstruction: Thinning | None = None
    """None: not asked for."""


class IntegrateSpec(Job):
    """All rivals on the cells of one integration target."""

    target: Name
    cells: Mixture
    rivals: list[str]
    network: Network
    """Of the rivals with random weights."""
    seeds: list[int]


class ContinuedSpec(Arm):
    """A model that goes on learning, without labels, on the cells of an integration target."""

    target: Name
    cells: Mixture
    steps: int
    scratch: bool
    """Whether fresh weights take the same steps too."""


class UnseenSpec(Job):
    """All rivals from one study to the cells of another, with genes missing."""

    target: Name
    cells: Afar
    rivals: list[str]
    network: Network
    """Of the rivals with random weights."""
    seeds: list[int]
