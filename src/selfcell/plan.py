"""What a study will take, told before it is run: jobs, hours, memory, disk, downloads.

Times and sizes are those of the released default study's jobs, scaled by how much there is to do:
cells that pre-training reads, label draws that are scored, MB of the files that cells come from,
for how many cells a file holds is not known before it is fetched.
"""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from selfcell.config import load_config
from selfcell.data.fetch import cache_dir, mirror_list
from selfcell.data.registry import Source
from selfcell.errors import ConfigError, DataError
from selfcell.extras import RIVALS, lacking
from selfcell.figures import FIGURES
from selfcell.provenance import ROOT
from selfcell.release import cached, sources
from selfcell.study import Study

RELEASED = ROOT / "results" / "released" / "default"
# Rules that run side by side, in the order in which they can start.
STAGES = (
    ("download", "reference"),
    ("qc", "adopt"),
    ("split", "split_protein", "align"),
    ("vocabulary",),
    ("store",),
    ("audit", "shared_variance"),
    ("pretrain", "baseline"),
    ("frozen", "finetune", "protein", "integrate", "continued", "unseen"),
    ("collect", "by_gene"),
    ("contrasts", "project"),
    ("claims", "figure"),
    ("report",),
)


BY_SIZE = {"download", "qc", "split", "vocabulary", "store", "audit"}  # so is evaluation
FACTORS = 700  # transcription factors that no choice of variable genes has
MOST_GENES = 20_000  # human genes that code for proteins
UNPACKED = 1.5  # the cache over its downloads: archives, and what was taken out of them
COPIES = 3  # of the cells: as they came, after quality control, in the store


@dataclass(frozen=True)
class Work:
    """What a rule has to do.

    Attributes:
        jobs: how many. units: how much in all, to compare with the same rule of another study.
    """

    jobs: int
    units: float


@dataclass(frozen=True)
class Share:
    """What a rule will take: number of jobs, their hours in all, MB of the largest."""

    jobs: int
    hours: float
    memory_mb: float


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
    counts |= {"protein": len(study.protein_jobs()), "by_gene": int(bool(config.reconstruction))}
    counts |= {"integrate": len(study.mixtures), "unseen": len(study.unseen)}
    counts["continued"] = len(study.continued())
    counts |= {"adopt": len(study.ready), "align": len(aligned(study))}
    counts["figure"] = len(FIGURES)
    counts["reference"] = len(references(study))
    size, weights = size_mb(study), n_weights(study)
    looked = tuned * config.fine_tuning.batch
    units = {rule: size if rule in BY_SIZE else 1.0 for rule in counts}
    return {rule: Work(jobs, jobs * units[rule]) for rule, jobs in counts.items()} | {
        "pretrain": Work(len(models), cells_read(study) * weights),
        "frozen": Work(len(evaluated), scored * draws * len(config.frozen.readouts) * size),
        "finetune": Work(len(tunes), len(tunes) * looked * weights),
        "baseline": Work(rivals, rivals * len(config.baselines) * draws * size),
    }


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


def shares(study: Study, released: Path = RELEASED) -> dict[str, Share]:
    """What each rule will take, from what it took in a released study; of rules that it did not
    run nothing is known."""
    import pandas as pd

    table = released / "jobs.csv"
    if not table.is_file():
        raise DataError(f"there is no {table}", "a released study", "make release")
    jobs = pd.read_csv(table)
    jobs["rule"] = jobs.rule.str.replace("^figure_.*", "figure", regex=True)
    measured = jobs.groupby("rule").agg({"jobs": "sum", "wall_s": "sum", "peak_mb": "max"})
    before = work(Study(load_config(released / "config.yaml")))
    found = {}
    for rule, wanted in work(study).items():
        if wanted.jobs and rule in measured.index:
            row = measured.loc[rule]
            # By the jobs that were run: the code may since give that study more of them.
            then = before[rule].units / before[rule].jobs * row.jobs
            hours = row.wall_s / 3600 * wanted.units / then
            found[rule] = Share(wanted.jobs, float(hours), float(row.peak_mb))
    return found


def on_gpus(found: Mapping[str, Share], study: Study, rate: float) -> dict[str, Share]:
    """The same where pre-training reads `rate` cells a second, on one GPU each."""
    share = found["pretrain"]
    hours = cells_read(study) / rate / 3600
    return {**found, "pretrain": Share(share.jobs, hours, share.memory_mb)}


def wall_hours(found: Mapping[str, Share], workers: int) -> float:
    """Hours on so many workers of one core: stage by stage, jobs of a rule alike."""
    total = 0.0
    for stage in STAGES:
        parts = [found[rule] for rule in stage if rule in found]
        spread = sum(part.hours for part in parts) / workers
        # No worker does less than the jobs of a rule that fall to it.
        most = [part.hours / part.jobs * math.ceil(part.jobs / workers) for part in parts]
        total += max([spread, *most])
    return total


def disk_gb(study: Study, released: Path = RELEASED) -> float:
    """GB (1e9 bytes) of results: those of the released study, by the number of models, and copies
    of what is more of cells."""
    about = json.loads((released / "manifest.json").read_text(encoding="utf-8"))
    before = Study(load_config(released / "config.yaml"))
    models = max(1.0, len(study.models()) / len(before.models()))
    cells = COPIES * max(0.0, size_mb(study) - size_mb(before))
    return (float(about["results_mb"]) * models + cells) / 1000


def missing(study: Study, cache: Path, mirrors: tuple[str, ...]) -> list[Source]:
    """Sources that neither the cache nor a folder among the mirrors holds: the network must."""
    here = {path.name for path in cached(study, cache)}
    folders = [Path(place).expanduser() for place in mirrors if "://" not in place]
    return [
        source
        for source in sources(study)
        if not {source.sha256[:16], source.artefact.sha256[:16]} & here
        and not (source.artefact.kind == "local" and Path(source.artefact.path).exists())
        and not any((folder / source.artefact.file).is_file() for folder in folders)
    ]


def reckon(
    study: Study,
    results: Path,
    cache: str = "",
    workers: int = 2,
    gpu_rate: float | None = None,
) -> dict[str, Any]:
    """All that is known of a study before it runs, by name.

    Args:
        results: where they will be. cache: of downloads; "": that of `data.fetch.cache_dir`.
        workers: jobs that run at once.
        gpu_rate: cells a second that pre-training reads on a GPU; None: it trains on a core, and
            hours on a GPU are not known ("gpu_hours" is None).

    Raises ConfigError: no worker, or a rate that is not above 0.
    """
    if workers < 1:
        raise ConfigError(f"{workers} workers", "at least 1", "--workers N")
    if gpu_rate is not None and not gpu_rate > 0:
        raise ConfigError(f"{gpu_rate:g} cells a second on a GPU", "above 0", "--gpu-rate CELLS")
    found = shares(study)
    if gpu_rate:
        found = on_gpus(found, study, gpu_rate)
    gpu = found["pretrain"].hours if gpu_rate else None
    wanted = missing(study, cache_dir(cache), mirror_list(study.config.mirrors))
    to_fetch = {source.artefact.name: source.artefact.size_mb for source in wanted}
    return {
        "rules": {rule: asdict(share) for rule, share in found.items()},
        "unknown": [rule for rule, each in work(study).items() if each.jobs and rule not in found],
        "jobs": sum(share.jobs for share in found.values()),
        "core_hours": sum(share.hours for share in found.values()) - (gpu or 0.0),
        "gpu_hours": gpu,
        "workers": workers,
        "wall_hours": wall_hours(found, workers),
        "memory_gb": max(share.memory_mb for share in found.values()) * workers / 1000,
        "times_the_data": size_mb(study) / size_mb(Study(load_config(RELEASED / "config.yaml"))),
        "disk_gb": disk_gb(study),
        "free_gb": free_gb(results),
        "cache_gb": UNPACKED * sum(to_fetch.values()) / 1000,
        "cache_free_gb": free_gb(cache_dir(cache)),
        "one_disk": on_one_disk(results, cache_dir(cache)),
        "to_fetch_mb": to_fetch,
        "lacking": lacking(libraries(study)),
    }


def libraries(study: Study) -> dict[str, str]:
    """Modules that the study's jobs import and others' do not, with the extra of each."""
    wanted = {}
    if any(source.artefact.census for source in sources(study)):
        wanted["tiledbsoma"] = "census"
    if study.config.integration:
        wanted["scib_metrics"] = "integration"
        wanted |= dict(RIVALS[name] for name in study.config.integration.rivals if name in RIVALS)
    return wanted


def absent(study: Study) -> list[str]:
    """Own files of the study that are not there."""
    places = [source.artefact.path for source in sources(study) if source.artefact.kind == "local"]
    return [place for place in places if not Path(place).exists()]


def free_gb(folder: Path) -> float:
    """GB free where a folder is, or will be."""
    return shutil.disk_usage(_there(folder)).free / 1e9


def on_one_disk(one: Path, other: Path) -> bool:
    """Whether two folders, which may not be there yet, share a file system."""
    return _there(one).stat().st_dev == _there(other).stat().st_dev


def _there(folder: Path) -> Path:
    while not folder.exists():
        folder = folder.absolute().parent
    return folder
