"""What a study will take, told before it is run: jobs, hours, memory, disk, downloads.

Times and sizes are those of the released default study's jobs, scaled by how much there is to do:
cells that pre-training reads, label draws that are scored, MB of the files that cells come from,
for how many cells a file holds is not known before it is fetched.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from selfcell.config import load_config
from selfcell.data.fetch import cache_dir, mirror_list
from selfcell.data.registry import Source
from selfcell.errors import ConfigError, DataError
from selfcell.extras import RIVALS, lacking
from selfcell.provenance import ROOT
from selfcell.release import cached, sources
from selfcell.study import Study
from selfcell.workload import cells_read, n_weights, size_mb, work

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
    ("frozen", "finetune", "protein", "reconstruct", "integrate", "continued", "unseen"),
    ("collect", "by_gene"),
    ("contrasts", "project"),
    ("claims", "figure"),
    ("report",),
)


COPIES = 3  # of the cells: as they came, after quality control, in the store
WEIGHT = 8  # bytes of results for each weight of an encoder: its number and the decoder's
UNPACKED = 1.5  # the cache over its downloads: archives, and what was taken out of them
COPIES = 3  # of the cells: as they came, after quality control, in the store


@dataclass(frozen=True)
class Share:
    """What a rule will take: number of jobs, their hours in all, MB of the largest, and how many
    times as much a job has to do as in the released study."""

    jobs: int
    hours: float
    memory_mb: float
    times: float


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
            then = before[rule].units / before[rule].jobs
            hours = row.wall_s / 3600 * wanted.units / (then * row.jobs)
            times = wanted.units / wanted.jobs / then
            found[rule] = Share(wanted.jobs, float(hours), float(row.peak_mb), times)
    return found


def on_gpus(found: Mapping[str, Share], study: Study, rate: float) -> dict[str, Share]:
    """The same where pre-training reads `rate` cells a second, on one GPU each."""
    share = found["pretrain"]
    hours = cells_read(study) / rate / 3600
    return {**found, "pretrain": replace(share, hours=hours)}


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


def disk_gb(study: Study) -> float:
    """GB (1e9 bytes) of results: copies of the cells, and weights of the models. Tables, a
    twentieth of the rest in the released studies, are within what this overestimates."""
    models = len(study.models()) * n_weights(study) * WEIGHT
    return (COPIES * size_mb(study) * 1e6 + models) / 1e9


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
    if gpu_rate is not None and not 0 < gpu_rate < math.inf:
        got = f"{gpu_rate:g} cells a second on a GPU"
        raise ConfigError(got, "a number above 0", "--gpu-rate CELLS")
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
    """Own files of the study that are not there: cells, gene sets, ontology and its labels."""
    config = study.config
    places = [source.artefact.path for source in sources(study) if source.artefact.kind == "local"]
    places += [each.path for each in config.gene_sets]
    if config.lineage.scores:
        places += [path for path in (config.lineage.ontology, config.lineage.labels) if path]
    return [place for place in dict.fromkeys(map(str, places)) if not Path(place).exists()]


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
