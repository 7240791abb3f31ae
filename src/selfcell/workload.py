"""How much a study has to do: jobs of each rule, and what their time goes by.

Before anything is fetched the number of cells is not known: the MB of the files that they come
from stand for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from selfcell.autoencoders import jobs, targets
from selfcell.figures import FIGURES
from selfcell.release import sources
from selfcell.study import Study

BY_SIZE = {"download", "qc", "split", "vocabulary", "store", "audit", "shared_variance"}
BY_ROWS = {"collect", "contrasts", "report"}  # of the score table
FACTORS = 700  # transcription factors that no choice of variable genes has
MOST_GENES = 20_000  # human genes that code for proteins


@dataclass(frozen=True)
class Work:
    """What a rule has to do.

    Attributes:
        jobs: how many. units: how much in all, to compare with the same rule of another study.
    """

    jobs: int
    units: float


def work(study: Study) -> dict[str, Work]:
    """What each rule has to do; figures are one rule."""
    config = study.config
    draws = len(config.labels.regimes) * config.labels.draws
    tuned = sum(regime.draws for regime in config.fine_tuning.regimes)
    models, evaluated, tunes = study.models(), study.evaluated(), study.fine_tunes()
    scored = sum(
        len(study.targets.keys() & study.splits_of(model.corpus, model.method))
        for model in evaluated
    )
    rivals = len(study.targets) * bool(config.baselines)
    once = "vocabulary audit shared_variance collect contrasts project claims report"
    counts = dict.fromkeys(once.split(), 1)
    counts |= dict.fromkeys(("download", "qc", "store"), len(study.datasets))
    counts |= {"split": len(study.targets), "split_protein": len(study.proteins)}
    counts |= {"protein": len(study.protein_jobs()), "reconstruct": len(jobs(study))}
    counts |= {"by_gene": int(bool(config.reconstruction))}
    counts |= {"integrate": len(study.mixtures), "unseen": len(study.unseen)}
    counts["continued"] = len(study.continued())
    counts |= {"adopt": len(study.ready), "align": len(aligned(study))}
    counts["figure"] = len(FIGURES)
    counts["reference"] = len(references(study))
    size, weights = size_mb(study), n_weights(study)
    looked = tuned * config.fine_tuning.batch
    evaluations = scored * draws * len(config.frozen.readouts)
    rows = evaluations + rivals * len(config.baselines) * draws + len(tunes) * tuned
    units = {rule: size if rule in BY_SIZE else 1.0 for rule in counts}
    units |= dict.fromkeys(BY_ROWS, rows)
    return (
        {rule: Work(jobs, jobs * units[rule]) for rule, jobs in counts.items()}
        | {
            "pretrain": Work(len(models), cells_read(study) * weights),
            "frozen": Work(len(evaluated), evaluations * size),
            "finetune": Work(len(tunes), len(tunes) * looked * weights),
            "baseline": Work(rivals, rivals * len(config.baselines) * draws * size),
        }
        | across(study, weights)
    )


def across(study: Study, weights: float) -> dict[str, Work]:
    """Of proteins, integration and unseen data: by draws, cells and steps."""
    config, found = study.config, {}
    heads = study.protein_jobs()
    tests = {name: len(each.n_train) * each.draws for name, each in study.proteins.items()}
    found["protein"] = Work(len(heads), sum(tests[job.target] for job in heads) * weights)
    if config.reconstruction and (tuned := config.reconstruction.fine_tune):
        looked = tuned.draws * tuned.steps * tuned.batch * len(tuned.lr)
        trained = sum(len(targets(study, job.corpus)) for job in jobs(study))
        found["reconstruct"] = Work(len(jobs(study)), trained * looked * weights)
    if asked := config.integration:
        continued = len(study.continued())
        found["integrate"] = Work(len(study.mixtures), len(study.mixtures) * asked.max_cells)
        steps = asked.steps * config.pretraining.batch * weights
        found["continued"] = Work(continued, continued * (asked.max_cells * weights + steps))
    if far := config.unseen:
        tasks = len(study.unseen) * far.draws * (1 + len(far.shares))
        found["unseen"] = Work(len(study.unseen), tasks * far.max_cells)
    return found


def cells_read(study: Study) -> float:
    """Cells that pre-training reads, over all steps of all models."""
    training = study.config.pretraining
    return float(len(study.models()) * training.steps * training.batch)


def n_weights(study: Study) -> float:
    """Weights of the encoder, which a step's time goes by.

    How many genes there will be is not known before the cells are read: each choice after the
    largest is taken to share half of its own with those before (default study: 3,672 genes, where
    3,700 are reckoned with; blood.yaml: 5,369 and 6,200).
    """
    vocabulary, hidden = study.config.vocabulary, study.config.network.hidden
    choosing = sum(corpus.vocabulary for corpus in study.corpora.values())
    asked = [vocabulary.corpus_genes] * choosing + [vocabulary.target_genes] * len(study.targets)
    genes = (max(asked) + sum(asked)) // 2 + FACTORS * vocabulary.transcription_factors
    widths = (max(1, min(genes, MOST_GENES)), *hidden)
    return float(sum(before * after for before, after in pairwise(widths)))


def size_mb(study: Study) -> float:
    """MB of the files that cells come from, each counted once; at least 1, own files that are not
    there yet count nothing."""
    artefacts = [spec.source.artefact for spec in study.datasets.values()]
    return max(1.0, sum({artefact.name: artefact.mb() for artefact in artefacts}.values()))


def aligned(study: Study) -> list[tuple[str, str]]:
    """Ready models, and data sets that are put into their genes."""
    of = {name: study.stores_of(study.targets_of(name)) for name in study.ready}
    return [(name, dataset) for name, datasets in of.items() for dataset in datasets]


def references(study: Study) -> set[str]:
    """Names of the tables and gene sets that the study fetches beside its cells."""
    counted = [source for spec in study.datasets.values() for source in spec.sources]
    return {source.file for source in sources(study) if source not in counted}
