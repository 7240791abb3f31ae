"""The study's configuration: one YAML file, parsed once into frozen models.

The field descriptions are the documentation; `workflow/schemas/config.schema.yaml` is written
from them. Sweep dimensions are lists, so that an overriding file replaces them whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from selfcell import yaml_once
from selfcell.across import Integration, Unseen, UnseenTarget
from selfcell.baselines import BASELINES
from selfcell.budgets import FineTuning, Pretraining, Reconstruction
from selfcell.data.parse import nearest, parse
from selfcell.data.section import Section
from selfcell.data.specs import LabelSpec, VocabularySpec
from selfcell.entries import (
    Corpus,
    Dataset,
    GeneSets,
    Lineage,
    Method,
    Protein,
    Quality,
    Ready,
    Target,
)
from selfcell.errors import ConfigError
from selfcell.methods import parameters
from selfcell.provenance import ROOT
from selfcell.specs import Name, Network, Readout

REGISTRY = ROOT / "resources" / "datasets.yaml"


class Readouts(Section):
    """Readouts on frozen embeddings."""

    readouts: list[Readout] = Field(["probe", "prototype", "knn1"], min_length=1)
    """knn5 runs only in regimes of at least 10 labels."""


class Deviations(Section):
    """Differences of the released code, each trained by itself (docs/deviations.md)."""

    corpora: list[Name] = []
    """Corpora on which each is trained, one at a time, for every method it concerns: each alone
    under protocol intended, all but each under protocol published. None: none is trained."""
    targets: list[Name] = []
    """Annotation targets that they are judged on; none named: all targets of the corpus."""
    seeds: int = Field(3, ge=1)
    """The first so many of the pre-training seeds serve; each run is paired with the method's own
    of the same seed."""


class Config(Section):
    """A study."""

    study: Name
    """Names the folder under results/ and the `study` column."""
    protocol: Literal["intended", "published"] = "intended"
    """intended: what the paper says. published: what its released code did instead, wherever that
    changes results (docs/deviations.md lists each difference and what it costs)."""
    deviations: Deviations = Deviations()
    """What of the released code is also trained, one difference at a time."""
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
    models: list[Ready] = []
    """Ready models, to be judged beside those that the study trains."""
    targets: list[Target] = Field(min_length=1)
    """Annotation targets."""
    labels: LabelSpec = LabelSpec()
    lineage: Lineage = Lineage()
    gene_sets: list[GeneSets] = []
    """Collections that programme masks may name."""
    network: Network = Network()
    pretraining: Pretraining = Pretraining()
    methods: list[Method] = Field(min_length=1)
    """Pretext tasks."""
    frozen: Readouts = Readouts()
    fine_tuning: FineTuning = FineTuning()
    reconstruction: Reconstruction | None = None
    """Gene-expression reconstruction; null: not asked for."""
    protein: Protein | None = None
    """Proteins from RNA; null: not asked for."""
    types: dict[str, dict[Name, tuple[str, ...]]] = {}
    """Types that data sets have in common: by type, by data set, the labels that mean it. For
    `integration` and `unseen`; cells of other labels are left out there."""
    integration: Integration | None = None
    """Data integration; null: not asked for."""
    unseen: Unseen | None = None
    """Unseen data, genes missing; null: not asked for."""
    baselines: list[str] = []
    """Simple rivals, run on every target."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        datasets = _unique("datasets", [entry.name for entry in self.datasets])
        corpora = _unique("corpora", [entry.name for entry in self.corpora])
        ready = self._ready(corpora)
        methods = _unique("methods", [entry.name for entry in self.methods])
        proteins = self.protein.targets if self.protein else []
        mixtures = self.integration.targets if self.integration else []
        others = [entry.name for part in (proteins, mixtures, self._unseen) for entry in part]
        targets = _unique("targets", [entry.name for entry in self.targets] + others)
        _free("corpora", corpora + ready, ("none", "own_pool"))
        _free("methods", methods, (*BASELINES, "scratch", "scratch_long", "scratch_shallow"))
        _unique("baselines", self.baselines)
        _unique("gene_sets", [entry.name for entry in self.gene_sets])
        _unique("fine_tuning.methods", self.fine_tuning.methods)
        for method in self.methods:
            parameters(method.task, method.params, f"methods.{method.name}")
        whole = [corpus.name for corpus in self.corpora if not corpus.part_of]
        for corpus in self.corpora:
            where = f"corpora.{corpus.name}"
            _known(f"{where}.part_of", [corpus.part_of] if corpus.part_of else [], whole)
            _known(f"{where}.sources.dataset", [cell.dataset for cell in corpus.sources], datasets)
            _known(f"{where}.methods", corpus.methods or [], methods)
            pools = [cell.pool_of for cell in corpus.sources if cell.pool_of]
            _known(f"{where}.sources.pool_of", pools, targets)
        for target in self.targets:
            where = f"targets.{target.name}"
            target.split_spec()
            _unique(f"{where}.corpora", target.corpora)
            _known(f"{where}.dataset", [target.dataset], datasets)
            _known(f"{where}.corpora", target.corpora, corpora)
            _known(f"{where}.fine_tune", target.fine_tune, target.corpora + target.models)
            _known(f"{where}.negative_control", target.negative_control, target.corpora)
        for own in proteins:
            where = f"protein.targets.{own.name}"
            _known(f"{where}.train, test", list(own.datasets), datasets)
            _known(f"{where}.corpora", own.corpora, corpora)
            _known(f"{where}.fine_tune", own.fine_tune, own.corpora)
        self._across(datasets, corpora, methods)
        _known("deviations.corpora", self.deviations.corpora, corpora)
        annotated = [target.name for target in self.targets]
        _known("deviations.targets", self.deviations.targets, annotated)
        _known("fine_tuning.methods", self.fine_tuning.methods, methods)
        regimes = [str(regime) for regime in self.labels.regimes]
        wanted = [str(regime.labels) for regime in self.fine_tuning.regimes]
        _known("fine_tuning.regimes.labels", wanted, regimes)
        _known("baselines", self.baselines, BASELINES)
        self._reconstructed(methods)
        _unique("fine_tuning.regimes", wanted)
        _unique("pretraining.seeds", [str(seed) for seed in self.pretraining.seeds])
        for regime in self.fine_tuning.regimes:
            if regime.draws > self.labels.draws:
                where = f"fine_tuning.regimes: {regime.draws} draws of {regime.labels} labels"
                raise ValueError(f"{where} are outside [1, {self.labels.draws}] (labels.draws)")
        if self.study == "released":
            raise ValueError("study: 'released' is where `make release` writes; another name")
        return self

    def _reconstructed(self, methods: list[str]) -> None:
        """Reconstruction has its rivals, and what is fine-tuned for it has a decoder."""
        if self.reconstruction and not self.baselines:
            raise ValueError("reconstruction: its rivals run beside `baselines`, which name none")
        tuned = self.reconstruction.fine_tune if self.reconstruction else None
        where, own = "reconstruction.fine_tune.methods", tuned.methods if tuned else []
        _known(where, _unique(where, own), methods)
        for entry in self.methods:
            params = parameters(entry.task, entry.params, f"methods.{entry.name}")
            if entry.name in own and not hasattr(params, "loss"):
                raise ValueError(f"{where}: {entry.name} has no decoder; name masked autoencoders")

    def _ready(self, corpora: list[str]) -> list[str]:
        """Names of the ready models: of their own, and the only ones that targets name."""
        ready = [entry.name for entry in self.models]
        _unique("corpora, models", corpora + ready)
        for target in self.targets:
            where = f"targets.{target.name}.models"
            _known(where, _unique(where, target.models), ready)
        return ready

    @property
    def filled(self) -> dict[str, Corpus]:
        """Corpora by name; parts with the sources of their wholes, and no say in the genes."""
        own = {corpus.name: corpus for corpus in self.corpora}
        for name, part in own.items():
            if part.part_of:
                taken = {"sources": own[part.part_of].sources, "vocabulary": False}
                own[name] = part.model_copy(update=taken)
        return own

    @property
    def _unseen(self) -> list[UnseenTarget]:
        return self.unseen.targets if self.unseen else []

    def _across(self, datasets: list[str], corpora: list[str], methods: list[str]) -> None:
        """Tasks over several data sets: what they name is there, and their labels can meet."""
        for name, labels in self.types.items():
            _known(f"types.{name}", list(labels), datasets)
        if self.integration:
            _known("integration.methods", self.integration.methods or [], methods)
            for target in self.integration.targets:
                where = f"integration.targets.{target.name}"
                names = [source.dataset for source in target.sources]
                _known(f"{where}.sources.dataset", names, datasets)
                _known(f"{where}.corpora", target.corpora, corpora)
                _known(f"{where}.fine_tune", target.fine_tune, target.corpora)
                if any(source.pool_of for source in target.sources):
                    raise ValueError(f"{where}.sources take where, not pool_of")
                self._meet(where, names)
        if self.unseen:
            _known("unseen.methods", self.unseen.methods or [], methods)
            _unique("unseen.shares", [f"{share:g}" for share in self.unseen.shares])
        queries = {target.name: target.dataset for target in self.targets}
        for own in self._unseen:
            where = f"unseen.targets.{own.name}"
            _known(f"{where}.reference.dataset", [own.reference.dataset], datasets)
            _known(f"{where}.query", [own.query], queries)
            _known(f"{where}.corpora", own.corpora, corpora)
            query = queries[own.query]
            held = [entry.name for entry in self.filled.values() for source in entry.sources
                    if entry.name in own.corpora and source.dataset == query]  # fmt: skip
            if held or own.reference.dataset == query:
                holder = f"corpus {held[0]}" if held else "reference"
                raise ValueError(f"{where}: its {holder} holds cells of {query}, as its query does")
            self._meet(where, [own.reference.dataset, query])

    def _meet(self, where: str, names: list[str]) -> None:
        absent = [name for name in names if not any(name in each for each in self.types.values())]
        if len(set(names)) > 1 and absent:
            raise ValueError(f"{where}: `types` names no label of {absent[0]}")


def _unique(where: str, names: list[str]) -> list[str]:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"{where}: {twice[0]!r} stands twice; names must differ")
    return names


def _free(where: str, names: list[str], taken: Any) -> None:
    for name in names:
        if name in taken:
            raise ValueError(f"{where}: {name!r} names an arm of the study itself; another name")


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
    data = yaml_once.read(path)
    if not isinstance(data, Mapping):
        raise ConfigError(f"{path} holds no mapping", "the keys of config.yaml")
    return from_mapping(data, str(path))


def schema() -> dict[str, Any]:
    """JSON schema of the configuration file, as `workflow/schemas/config.schema.yaml` holds it."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **Config.model_json_schema(),
    }
