"""Each job's own slice of a study, as one JSON string.

A job gets only what defines it, so that a changed setting re-runs the branch it belongs to and
nothing else.
"""

from __future__ import annotations

from typing import Any

from selfcell import autoencoders
from selfcell.data.specs import CorpusSpec, LabelSpec
from selfcell.methods import published
from selfcell.specs import (
    RIVALS,
    Afar,
    BaselineSpec,
    ContinuedSpec,
    FineTuneSpec,
    FrozenSpec,
    IntegrateSpec,
    Mixture,
    Network,
    PretrainSpec,
    ProteinSpec,
    ReconstructSpec,
    Thinning,
    Training,
    TunedRegime,
    Tuning,
    UnseenSpec,
)
from selfcell.study import NONE, SCRATCH_ARMS, SCRATCH_LONG, SCRATCH_SHALLOW, FineTune, Model, Study


class Slices:
    """The slices of one study's jobs, under the names of their rules."""

    def __init__(self, study: Study) -> None:
        self.study = study
        self.config = study.config

    def corpus(self, corpus: str) -> CorpusSpec:
        """Which cells a corpus holds."""
        fields = self.study.corpora[corpus].model_dump(exclude={"methods"})
        return CorpusSpec(**fields, targets=tuple(self.study.excluding(corpus)))

    def pretrain(self, corpus: str, method: str, seed: int) -> str:
        """All that a pre-training run depends on beside its data and its code."""
        entry = self.study.methods[method]
        return PretrainSpec(
            **self._study(method),
            corpus=self.corpus(corpus),
            method=method,
            task=entry.task,
            params=self.study.params(entry),
            network=self.config.network,
            training=self._training(),
            seed=seed,
            processes=self.config.pretraining.processes,
        ).to_json()

    def frozen(self, corpus: str, method: str, seed: int) -> str:
        """A frozen model on its targets, of every task."""
        readouts, asked = self.config.frozen.readouts, self.config.protein
        mixtures, across = self.study.mixtures, self.study.across(Model(corpus, method, seed))
        proteins = self.study.proteins.keys() & self.study.splits_of(corpus, method)
        return FrozenSpec(
            **self._study(method),
            corpus=corpus,
            method=method,
            seed=seed,
            network=self._network(method, corpus),
            readouts=readouts,
            reconstruction=self._thinning(),
            protein=asked.normalisation if asked and proteins else None,
            integrate={name: self._mixture(name) for name in across if name in mixtures},
            unseen={name: self._afar(name) for name in across if name not in mixtures},
        ).to_json()

    def protein_split(self, target: str) -> str:
        """Which cells proteins are learned on and predicted for."""
        return self.study.proteins[target].split_spec().model_dump_json()

    def protein(self, job: FineTune) -> str:
        """A fine-tuned arm on a protein target, or the rivals there."""
        asked, training = self.config.protein, self.config.pretraining
        assert asked is not None
        return ProteinSpec(
            **self._study(job.method),
            protein=job.target,
            corpus=job.corpus,
            method=job.method,
            seed=job.seed,
            seeds=training.seeds,
            normalisation=asked.normalisation,
            tuning=asked.tuning,
            clip=training.clip,
            precision=training.precision,
            device=training.device,
            network=self.config.network if job.method == RIVALS else self._network(job.method),
        ).to_json()

    def reconstruct(self, model: Model) -> str:
        """An autoencoder that goes on learning to reconstruct; of scratch one for each head."""
        asked, training = self.config.reconstruction, self.config.pretraining
        thinning = self._thinning()
        assert asked is not None and asked.fine_tune is not None and thinning is not None
        return ReconstructSpec(
            **self._study(model.method),
            **model._asdict(),
            thinning=thinning,
            tuning=Tuning(**asked.fine_tune.model_dump(exclude={"methods"})),
            heads=autoencoders.heads(self.study) if model.corpus == NONE else [],
            clip=training.clip,
            precision=training.precision,
            device=training.device,
            network=self._network(model.method),
        ).to_json()

    def integrate(self, target: str) -> str:
        """Rivals on an integration target."""
        asked = self.config.integration
        assert asked is not None
        return IntegrateSpec(
            **self._study(),
            target=target,
            cells=self._mixture(target),
            rivals=asked.rivals,
            network=self.config.network,
            seeds=self.config.pretraining.seeds[: asked.seeds],
        ).to_json()

    def continued(self, job: FineTune) -> str:
        """A model that goes on learning on an integration target's cells; the first of a seed
        brings the same steps from scratch."""
        asked = self.config.integration
        assert asked is not None
        rest = [each for each in self.study.continued() if each.target == job.target]
        first = next(each for each in rest if each.seed == job.seed)
        return ContinuedSpec(
            **self._study(job.method),
            **job._asdict(),
            cells=self._mixture(job.target),
            steps=asked.steps,
            scratch=job == first,
        ).to_json()

    def _mixture(self, target: str) -> Mixture:
        """Which cells an integration target holds."""
        asked, own = self.config.integration, self.study.mixtures[target]
        assert asked is not None
        several = len({source.dataset for source in own.sources}) > 1
        return Mixture(
            sources=own.sources,
            batch=own.batch,
            types=self.config.types if several else {},
            min_cells=asked.min_cells,
            max_cells=asked.max_cells,
        )

    def unseen(self, target: str) -> str:
        """Rivals from one study to another."""
        asked = self.config.unseen
        assert asked is not None
        return UnseenSpec(
            **self._study(),
            target=target,
            cells=self._afar(target),
            rivals=asked.rivals,
            network=self.config.network,
            seeds=self.config.pretraining.seeds,
        ).to_json()

    def _afar(self, target: str) -> Afar:
        """Whose labels are for whose cells."""
        asked, own = self.config.unseen, self.study.unseen[target]
        assert asked is not None
        few = self.config.labels
        labels = LabelSpec(
            regimes=(asked.labels,), draws=asked.draws, min_test=few.min_test,
            min_train=few.min_train,
        )  # fmt: skip
        return Afar(
            reference=own.reference,
            query=own.query,
            types=self.config.types,
            shares=asked.shares,
            labels=labels,
            max_cells=asked.max_cells,
            readouts=asked.readouts,
        )

    def finetune(self, job: FineTune) -> str:
        """Regimes, budget and tuned settings of a fine-tuning job."""
        tuning = self.config.fine_tuning
        regimes = []
        for regime in tuning.regimes:
            (lr, steps), draws = self.study.tuned(job.method, str(regime.labels)), regime.draws
            if job.method in (SCRATCH_LONG, SCRATCH_SHALLOW):
                draws = 1  # controls that only have to be in sight
            if job.method == SCRATCH_LONG:
                steps += self.config.pretraining.steps
            regimes.append(TunedRegime(labels=str(regime.labels), draws=draws, lr=lr, steps=steps))
        return self._finetune(job, regimes).to_json()

    def tune(self, job: FineTune) -> str:
        """The whole grid of settings for an arm, in each of its label regimes."""
        tuning = self.config.fine_tuning
        regimes = [
            TunedRegime(labels=str(regime.labels), draws=regime.draws, lr=lr, steps=steps)
            for regime in tuning.regimes
            for lr in tuning.grid.lr
            for steps in tuning.grid.steps
        ]
        return self._finetune(job, regimes).to_json()

    def _finetune(self, job: FineTune, regimes: list[TunedRegime]) -> FineTuneSpec:
        tuning, training = self.config.fine_tuning, self.config.pretraining
        return FineTuneSpec(
            **self._study(job.method),
            **job._asdict(),
            regimes=regimes,
            batch=tuning.batch,
            weight_decay=tuning.weight_decay,
            clip=training.clip,
            precision=training.precision,
            device=training.device,
            network=self._network(job.method, job.corpus),
        )

    def baseline(self, target: str) -> str:
        """Baselines of a target."""
        return BaselineSpec(
            **self._study(),
            target=target,
            corpora=[self.corpus(name) for name in self.study.whole_corpora(target)],
            baselines=self.config.baselines,
            readouts=self.config.frozen.readouts,
            network=self.config.network,
            training=self._training(),
            seeds=self.config.pretraining.seeds,
            reconstruction=self._thinning(),
        ).to_json()

    def _training(self) -> Training:
        return Training(
            **self.config.pretraining.model_dump(exclude={"seeds", "processes", "cells"})
        )

    def _thinning(self) -> Thinning | None:
        """How molecules are divided; the gene sets of the report concern no run."""
        asked = self.config.reconstruction
        return asked and Thinning(**asked.model_dump(exclude={"programmes", "fine_tune"}))

    def _study(self, method: str = "") -> dict[str, Any]:
        """What every slice begins with. A deviation's protocol is neither of the two, so that no
        contrast takes it for a method of the study."""
        protocol = "mixed" if method in self.study.deviations else self.config.protocol
        return {"study": self.config.study, "protocol": protocol}

    def _network(self, method: str, corpus: str = "") -> Network:
        """The network that a method's weights are put into, or that is trained from scratch; a
        ready model's is its own."""
        if corpus in self.study.ready:
            return self.study.ready[corpus].network
        if method in SCRATCH_ARMS:
            changed = dict(published.SCRATCH) if self.config.protocol == "published" else {}
            if method == SCRATCH_SHALLOW:
                changed["hidden"] = self.config.network.hidden[:1]
        else:
            changed = self.study.published(method)[1]
        return self.config.network.model_copy(update=changed)
