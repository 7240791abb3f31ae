"""Which autoencoders of a study are fine-tuned to reconstruct, and on which targets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from selfcell.study import NONE, SCRATCH, Model

if TYPE_CHECKING:
    from selfcell.study import Study


def jobs(study: Study) -> list[Model]:
    """One job for each model, on all its targets; scratch, of the corpus "none", at each seed."""
    asked = study.config.reconstruction
    if not asked or not asked.fine_tune:
        return []
    tuned = [
        model
        for model in study.models()
        if model.method in asked.fine_tune.methods and targets(study, model.corpus)
    ]
    return [Model(NONE, SCRATCH, seed) for seed in sorted({model.seed for model in tuned})] + tuned


def targets(study: Study, corpus: str) -> list[str]:
    """Targets that models of a corpus are fine-tuned on; of scratch all that any is."""
    tuned = {name: own.fine_tune for name, own in study.targets.items() if own.fine_tune}
    return [name for name, corpora in tuned.items() if corpus in (NONE, *corpora)]


def heads(study: Study) -> list[dict[str, str]]:
    """Loss and output of the fine-tuned methods, each loss once: those of the first that has it."""
    asked = study.config.reconstruction
    methods = asked.fine_tune.methods if asked and asked.fine_tune else []
    found: dict[str, dict[str, str]] = {}
    for name in methods:
        params = study.params(study.methods[name])
        found.setdefault(params["loss"], {key: params[key] for key in ("loss", "output")})
    return list(found.values())
