"""The study's configuration: one YAML file, parsed once into frozen models.

The field descriptions are the documentation; `workflow/schemas/config.schema.yaml` is written
from them. Sweep dimensions are lists, so that an overriding file replaces them whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self

import yaml
from pydantic import Field, model_validator

from selfcell.baselines import BASELINES
from selfcell.data.registry import DatasetSpec, Registry, nearest, parse
from selfcell.data.section import Section
from selfcell.data.specs import CorpusSource, LabelSpec, SplitSpec, VocabularySpec
from selfcell.errors import ConfigError
from selfcell.methods import parameters
from selfcell.provenance import ROOT
from selfcell.specs import Name, Network, Readout, Training

REGISTRY = ROOT / "resources" / "datasets.yaml"


class Dataset(Section):
    """A data set: one of the registry's by name, or the reader's own file by path."""

    name: Name
    """Names the data set in the rest of this file and in every table."""
    path: str = ""
    """Own file (h5ad, 10x h5, folder of 10x mtx, AnnData zarr); empty: the registry's entry."""
    sha256: str = ""
    """Of the own file, to pin it; empty: not checked."""
    layer: str = ""
    """Matrix holding raw counts: empty for X, `raw` for .raw.X, else a layer's name."""
    gene_ids: str = ""
    """var column of Ensembl ids; empty: the var names are symbols or Ensembl ids."""
    label: str = ""
    """obs column of cell types."""
    donor: str = ""
    """obs column of donors; empty: unknown."""
    batch: str = ""
    """obs column of technical batches; empty: unknown."""
    condition: str = ""
    """obs column of a condition, for splits; empty: unknown."""
    max_cells: int = Field(0, ge=0, le=10**9)
    """Draw at most this many of the cells that pass quality control; 0: all."""

    def spec(self, registry: Registry) -> DatasetSpec:
        """What the download and QC scripts need; what is given here goes before the registry's.

        Raises ConfigError on unknown registry names.
        """
        columns = self.model_dump(exclude={"name", "path", "sha256"}, exclude_defaults=True)
        if not self.path:
            return registry.dataset(self.name).model_copy(update=columns)
        return DatasetSpec.own(self.name, self.path, self.sha256, **columns)


class Quality(Section):
    """Cells kept by quality control."""

    min_genes: int = Field(200, ge=0, le=20_000)
    """Genes with at least one count that a cell must have."""
    min_cells: int = Field(3, ge=0, le=1_000_000)
    """Cells a gene must be seen in to count as expressed (reported; no gene is dropped)."""
    max_mito: float = Field(0.2, ge=0.0, le=1.0)
    """Largest share of mitochondrial counts; ignored where they were not measured."""
    doublets: bool = False
    """Flag doublets with Scrublet and drop them (minutes on large sets)."""


class Corpus(Section):
    """Cells to pre-train on, labels never read. No test cell of any target is ever in it."""

    name: Name
    """Names the corpus in every table."""
    sources: tuple[CorpusSource, ...] = Field(min_length=1)
    """Where its cells come from."""
    max_cells: int = Field(0, ge=0, le=10**9)
    """Draw at most this many cells; 0: all."""
    shuffle_genes: bool = False
    """Permute each gene over the cells: a control that keeps marginals and destroys programmes."""
    validation: float = Field(0.05, ge=0.001, le=0.5)
    """Share of cells held back to watch pre-training."""
    vocabulary: bool = True
    """Whether its most variable genes join the vocabulary (a target's pool has a say anyway)."""
    methods: list[Name] | None = None
    """Methods trained on it; null: all."""


class Target(Section):
    """A data set to annotate, how it is split, and the corpora to transfer from."""

    name: Name
    """Names the target in every table."""
    dataset: Name
    """A name under `datasets`."""
    split: dict[str, Any]
    """How cells become training pool and test set: kind, test_fraction, by, column, train, test,
    shared, seed."""
    corpora: list[Name] = Field(min_length=1)
    """Corpora whose frozen models are evaluated here."""
    fine_tune: list[Name] = []
    """Corpora whose models are fine-tuned here."""
    negative_control: list[Name] = []
    """Corpora from which no gain is expected (said in captions)."""

    def split_spec(self) -> SplitSpec:
        """The split with its target and data set. Raises ConfigError."""
        data = {**self.split, "target": self.name, "dataset": self.dataset}
        return parse(SplitSpec, data, f"targets.{self.name}.split")


class GeneSets(Section):
    """A collection of gene sets for programme masks."""

    name: Name
    """The registry's name (msigdb_c8, msigdb_tft, ...) or your own."""
    path: str = ""
    """Your own GMT file of symbols; empty: the registry's."""


class Pretraining(Training):
    """Budget, optimiser and seeds of pre-training."""

    seeds: list[int] = [0, 1, 2]
    """One run of each method for each seed (weights, order, noise)."""


class Method(Section):
    """A pretext task under a name of its own, so that one task can stand in several variants."""

    name: Name
    """Names the arm in every table and figure."""
    method: str = ""
    """Pretext task (a key of METHODS); empty: the name."""
    params: dict[str, Any] = {}
    """Hyper-parameters; what is left out takes the default in the method's `Params`."""

    @property
    def task(self) -> str:
        """The key of METHODS."""
        return self.method or self.name


class FineTuneRegime(Section):
    """One label regime of fine-tuning."""

    labels: int | Literal["all"]
    """Labels per type (one of `labels.regimes`)."""
    draws: int = Field(3, ge=1, le=1000)
    """The first so many label draws."""


class Grid(Section):
    """Settings that tuning chooses from, the same for every arm."""

    lr: list[float] = [1e-4, 3e-4, 1e-3]
    """Learning rates of AdamW."""
    steps: list[int] = [300, 1000]
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
    tuning: str = "resources/tuning.yaml"
    """Learning rate and steps of each arm, as `make tune` chose them."""
    grid: Grid = Grid()
    """What `make tune` chooses from."""


class Readouts(Section):
    """Readouts on frozen embeddings."""

    readouts: list[Readout] = ["probe", "prototype", "knn1"]
    """knn5 runs only in regimes of at least 10 labels."""


class Config(Section):
    """A study."""

    study: Name
    """Names the folder under results/ and the `study` column."""
    protocol: Literal["intended"] = "intended"
    """intended: what the paper says. What its released code did instead stands in the methods'
    parameters (methods/published.py lists it); a switch for all of it does not exist yet."""
    mirrors: list[str] = []
    """Folders or addresses tried before the public ones."""
    datasets: list[Dataset] = Field(min_length=1)
    """Data sets of the study."""
    former_symbols: bool = True
    """Also know gene symbols that have since been renamed (their list is in a 100 MB package)."""
    quality: Quality = Quality()
    vocabulary: VocabularySpec = VocabularySpec()
    corpora: list[Corpus] = Field(min_length=1)
    """Pre-training corpora."""
    targets: list[Target] = Field(min_length=1)
    """Annotation targets."""
    labels: LabelSpec = LabelSpec()
    gene_sets: list[GeneSets] = []
    """Collections that programme masks may name."""
    network: Network = Network()
    pretraining: Pretraining = Pretraining()
    methods: list[Method] = Field(min_length=1)
    """Pretext tasks."""
    frozen: Readouts = Readouts()
    fine_tuning: FineTuning = FineTuning()
    baselines: list[str] = []
    """Simple rivals, run on every target."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        datasets = _unique("datasets", [entry.name for entry in self.datasets])
        corpora = _unique("corpora", [entry.name for entry in self.corpora])
        methods = _unique("methods", [entry.name for entry in self.methods])
        _unique("targets", [entry.name for entry in self.targets])
        for method in self.methods:
            parameters(method.task, method.params, f"methods.{method.name}")
        for corpus in self.corpora:
            _known(
                f"corpora.{corpus.name}.sources.dataset",
                [cell.dataset for cell in corpus.sources],
                datasets,
            )
            _known(f"corpora.{corpus.name}.methods", corpus.methods or [], methods)
        for target in self.targets:
            where = f"targets.{target.name}"
            target.split_spec()
            _known(f"{where}.dataset", [target.dataset], datasets)
            _known(f"{where}.corpora", target.corpora, corpora)
            _known(f"{where}.fine_tune", target.fine_tune, target.corpora)
            _known(f"{where}.negative_control", target.negative_control, target.corpora)
        _known("fine_tuning.methods", self.fine_tuning.methods, methods)
        regimes = [str(regime) for regime in self.labels.regimes]
        wanted = [str(regime.labels) for regime in self.fine_tuning.regimes]
        _known("fine_tuning.regimes.labels", wanted, regimes)
        _known("baselines", self.baselines, BASELINES)
        return self


def _unique(where: str, names: list[str]) -> list[str]:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"{where}: {twice[0]!r} stands twice; names must differ")
    return names


def _known(where: str, names: list[str], options: Any) -> None:
    for name in names:
        if name not in options:
            raise ValueError(f"{where}: unknown {name!r}; {nearest(name, options)}")


def from_mapping(data: Mapping[str, Any], where: str = "configuration") -> Config:
    """Check a mapping as read from YAML.

    Raises:
        ConfigError: unknown keys (with the nearest), values out of range (with the range), names
            that refer to nothing; all faults in one message.
    """
    return parse(Config, data, where)


def load_config(path: Path | str) -> Config:
    """Read and check one configuration file. Raises ConfigError."""
    try:
        data = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ConfigError(f"{path} is not YAML: {error}") from error
    if not isinstance(data, Mapping):
        raise ConfigError(f"{path} holds no mapping", "the keys of config.yaml")
    return from_mapping(data, str(path))


def schema() -> dict[str, Any]:
    """JSON schema of the configuration file, as `workflow/schemas/config.schema.yaml` holds it."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **Config.model_json_schema(),
    }
