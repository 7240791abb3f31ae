"""What a configuration asks for: which models, which evaluations, with which settings.

`selfcell.slices` tells each job its part of it.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from selfcell.across import IntegrationTarget, UnseenTarget
from selfcell.config import REGISTRY, Config
from selfcell.data.registry import Registry
from selfcell.entries import Corpus, Method, ProteinTarget, Target, deviating
from selfcell.errors import ConfigError
from selfcell.methods import METHODS, parameters, published
from selfcell.provenance import ROOT
from selfcell.ready import read
from selfcell.specs import RIVALS

NONE = "none"
SCRATCH, SCRATCH_LONG, SCRATCH_SHALLOW = "scratch", "scratch_long", "scratch_shallow"
SCRATCH_ARMS = (SCRATCH, SCRATCH_LONG, SCRATCH_SHALLOW)


class Model(NamedTuple):
    """A pre-trained model."""

    corpus: str
    method: str
    seed: int


class FineTune(NamedTuple):
    """A fine-tuning job; scratch arms have the corpus "none"."""

    target: str
    corpus: str
    method: str
    seed: int


class Study:
    """The jobs of one configuration.

    Raises:
        ConfigError: it names what the registry does not hold, or no table of tuned settings.
    """

    def __init__(self, config: Config, registry: Path = REGISTRY) -> None:
        self.config = config
        self.registry = Registry.load(registry)
        self.corpora: Mapping[str, Corpus] = config.filled
        self.ready = {entry.name: read(entry) for entry in config.models}
        self.targets: Mapping[str, Target] = {entry.name: entry for entry in config.targets}
        asked = config.protein.targets if config.protein else []
        self.proteins: Mapping[str, ProteinTarget] = {entry.name: entry for entry in asked}
        mixed = config.integration.targets if config.integration else []
        self.mixtures: Mapping[str, IntegrationTarget] = {entry.name: entry for entry in mixed}
        afar = config.unseen.targets if config.unseen else []
        self.unseen: Mapping[str, UnseenTarget] = {entry.name: entry for entry in afar}
        self.methods = {entry.name: entry for entry in config.methods}
        asked_for = config.deviations.corpora
        self.deviations = deviating(self.methods, config.protocol) if asked_for else {}
        self.methods |= {name: entry.method for name, entry in self.deviations.items()}
        self.datasets = {entry.name: entry.spec(self.registry) for entry in config.datasets}
        for target in config.targets:
            if not self.datasets[target.dataset].label:
                got = f"targets.{target.name}: data set {target.dataset} has no `label:`"
                remedy = f"set `label:` of data set {target.dataset}"
                raise ConfigError(got, "a column of cell types", remedy)
        if config.fine_tuning.methods and config.fine_tuning.tuning:
            self._tuning()
        own = {entry.name for entry in config.gene_sets}
        sets = [name for method in config.methods for name in self.gene_sets(method.name)]
        for name in sorted({*sets, *self.programmes()} - own):
            self.registry.reference(name)

    def models(self) -> list[Model]:
        """Every pre-training run, corpora first."""
        return [each for each in self._trained() if self.weights(each.method) == each.method]

    def evaluated(self) -> list[Model]:
        """Every pre-trained network that is evaluated frozen, corpora first, ready models last."""
        ready = [(name, each.method) for name, each in self.ready.items() if self.splits_of(name)]
        return [*self._trained(), *(Model(*each, 0) for each in ready)]

    def _trained(self) -> list[Model]:
        return [
            Model(corpus.name, method, seed)
            for corpus in self.config.corpora
            if self.splits_of(corpus.name)
            for method in self._methods_on(corpus)
            for seed in self._seeds(method)
        ]

    def _seeds(self, method: str) -> list[int]:
        """Pre-training seeds of a method; of a deviation the first ones alone."""
        some = self.config.deviations.seeds if method in self.deviations else None
        return self.config.pretraining.seeds[:some]

    def weights(self, method: str) -> str:
        """The method whose pre-training gives a method's weights: itself, but for a deviation
        that concerns only the network they are put into."""
        entry = self.deviations.get(method)
        return method if entry is None or entry.deviation.params else entry.method.task

    def _methods_on(self, corpus: Corpus) -> list[str]:
        own = corpus.methods or [entry.name for entry in self.config.methods]
        return [*own, *self._deviations_on(corpus.name, own)]

    def _deviations_on(self, corpus: str, methods: list[str], tuned: bool = False) -> list[str]:
        """Deviations that are evaluated frozen, or else fine-tuned: those of the network alone."""
        return [
            name
            for name, (method, entry) in self.deviations.items()
            if corpus in self.config.deviations.corpora
            and method.task in methods
            and (entry.network if tuned else entry.params or "activation" in entry.network)
        ]

    def _tuned_on(self, corpus: str) -> list[str]:
        """Methods whose models of a corpus are fine-tuned; of a ready model its own."""
        if corpus in self.ready:
            return [self.ready[corpus].method]
        on = self.corpora[corpus].methods
        return [name for name in self.config.fine_tuning.methods if on is None or name in on]

    def targets_of(self, corpus: str) -> list[str]:
        """Targets that models of a corpus are evaluated on, or a ready model is."""
        named = self.targets.items()
        return [name for name, each in named if corpus in (*each.corpora, *each.models)]

    def whole_corpora(self, target: str) -> list[str]:
        """Corpora of a target that are no parts of others."""
        return [name for name in self.targets[target].corpora if not self.corpora[name].part_of]

    @property
    def every(self) -> list[str]:
        """Every target with a split: annotation's, then proteins'."""
        return [*self.targets, *self.proteins]

    def splits_of(self, corpus: str, method: str = "") -> list[str]:
        """Every target that models of a corpus are evaluated on, or that those of a method are:
        deviations on some alone, where the configuration says so."""
        proteins = [name for name, each in self.proteins.items() if corpus in each.corpora]
        some = self.config.deviations.targets if method in self.deviations else []
        return [name for name in [*self.targets_of(corpus), *proteins] if name in some or not some]

    def stores_of(self, targets: Sequence[str]) -> list[str]:
        """Data sets that some targets draw from, sorted."""
        found = {self.targets[name].dataset for name in targets if name in self.targets}
        for name in targets:
            found.update(self.proteins[name].datasets if name in self.proteins else ())
            sources = self.mixtures[name].sources if name in self.mixtures else ()
            found.update(source.dataset for source in sources)
            if name in self.unseen:
                own = self.unseen[name]
                found |= {own.reference.dataset, self.targets[own.query].dataset}
        return sorted(found)

    def protein_jobs(self) -> list[FineTune]:
        """By protein target: all rivals in one job, scratch, and each fine-tuned model."""
        jobs = []
        for name, target in self.proteins.items():
            jobs.append(FineTune(name, NONE, RIVALS, 0))
            arms = [(NONE, SCRATCH)] if target.fine_tune and self.config.fine_tuning.methods else []
            for corpus in target.fine_tune:
                arms += [(corpus, method) for method in self._tuned_on(corpus)]
            jobs += [FineTune(name, *arm, s) for arm in arms for s in self.config.pretraining.seeds]
        return jobs

    def models_of(self, target: str) -> list[Model]:
        """Models evaluated on an integration target or on an unseen one; no deviations.

        Raises ConfigError for a corpus that no other target has models trained on.
        """
        asked = self.config.unseen if target in self.unseen else self.config.integration
        own = self.unseen.get(target) or self.mixtures[target]
        assert asked is not None
        for corpus in own.corpora:
            if not self.splits_of(corpus):
                got = f"target {target}: no model is trained on corpus {corpus}"
                raise ConfigError(got, "a corpus of an annotation or protein target")
        seeds = self.config.pretraining.seeds[: getattr(asked, "seeds", None)]
        return [
            model
            for model in self.models()
            if model.corpus in own.corpora
            and model.seed in seeds
            and model.method not in self.deviations
            and (asked.methods is None or model.method in asked.methods)
        ]

    def across(self, model: Model) -> list[str]:
        """Integration and unseen targets that a model is evaluated on."""
        return [name for name in (*self.mixtures, *self.unseen) if model in self.models_of(name)]

    def continued(self) -> list[FineTune]:
        """Models that go on learning on an integration target's cells; none with gene sets."""
        return [
            FineTune(name, *model)
            for name, target in self.mixtures.items()
            for model in self.models_of(name)
            if model.corpus in target.fine_tune
            if model.method in self._tuned_on(model.corpus) and not self.gene_sets(model.method)
        ]

    def fine_tunes(self) -> list[FineTune]:
        """Every fine-tuning job, the scratch arms of each target first."""
        tuning = self.config.fine_tuning
        jobs: list[FineTune] = []
        scratch = [SCRATCH, *[SCRATCH_LONG] * tuning.scratch_long]
        scratch += [SCRATCH_SHALLOW] * tuning.scratch_shallow
        for target in self.config.targets if tuning.methods and tuning.regimes else []:
            arms = [(NONE, arm) for arm in scratch] if target.fine_tune else []
            for corpus in target.fine_tune:
                own = self._tuned_on(corpus)
                own += self._deviations_on(corpus, own, tuned=True)
                arms += [(corpus, m) for m in own if target.name in self.splits_of(corpus, m)]
            for corpus, arm in arms:
                for seed in [0] if corpus in self.ready else self._seeds(arm):
                    jobs.append(FineTune(target.name, corpus, arm, seed))
        return jobs

    def gene_sets(self, method: str) -> list[str]:
        """Gene-set collections that a method's parameters name; empty for most methods."""
        params = self.params(self.methods[method])
        return [params["gene_sets"]] if params.get("gene_sets") else []

    def programmes(self) -> list[str]:
        """The collection that reconstruction is reported by; empty: none."""
        asked = self.config.reconstruction
        return [asked.programmes] if asked and asked.programmes else []

    def ontology_keys(self) -> dict[str, str]:
        """By target, the name under which its labels stand in the table of ontology ids."""
        return {
            name: self.datasets[target.dataset].ontology or target.dataset
            for name, target in self.targets.items()
        }

    def module(self, method: str) -> str:
        """Module of a method, for the code digest."""
        return METHODS[self.methods[method].task]

    def excluding(self, corpus: str) -> list[str]:
        """Targets whose test cells must stay out of a corpus: those that its models are judged
        on and that draw from the same data sets."""
        own = {source.dataset for source in self.corpora[corpus].sources}
        return [name for name in self.splits_of(corpus) if own.intersection(self.stores_of([name]))]

    def export_mirrors(self) -> None:
        """Put the configured mirrors before those of $SELFCELL_MIRRORS, for the jobs to inherit.

        Where files come from is no part of what they are, so it is no parameter of a job.
        """
        every = [*self.config.mirrors, os.environ.get("SELFCELL_MIRRORS", "")]
        if self.config.mirrors:
            os.environ["SELFCELL_MIRRORS"] = ",".join(filter(None, every))

    def published(self, method: str) -> tuple[dict[str, Any], dict[str, Any]]:
        """Hyper-parameters and network settings of the released code, where they apply."""
        entry, task = self.deviations.get(method), self.methods[method].task
        return published.settings(task, self.config.protocol, entry and entry.deviation)

    def tuned(self, arm: str, labels: str) -> tuple[float, int]:
        """Learning rate and steps of an arm in a regime, from the committed tuning table."""
        table = _tuned(self._tuning())
        arm = SCRATCH if arm in SCRATCH_ARMS else arm
        kind = SCRATCH if arm == SCRATCH else "pretrained"
        settings = table.get(arm, table[kind])["all" if labels == "all" else "few"]
        return float(settings["lr"]), int(settings["steps"])

    def _tuning(self) -> Path:
        asked = self.config.fine_tuning.tuning
        path = ROOT / asked  # an absolute path stays itself
        if not asked or not path.is_file():
            got = f"no file {path}" if asked else "empty"
            raise ConfigError(f"fine_tuning.tuning: {got}", "a tuning table", "make tune")
        return path

    def params(self, entry: Method) -> dict[str, Any]:
        """All hyper-parameters of a method, defaults filled in. Raises ConfigError."""
        values = self.published(entry.name)[0] | entry.params
        return dataclasses.asdict(parameters(entry.task, values, f"methods.{entry.name}"))


@cache
def _tuned(path: Path) -> Mapping[str, Any]:
    """Settings by arm; read once, for every job asks."""
    table: Mapping[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))["chosen"]
    return table
