"""Say what a study will take, before it is run."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import Any

from selfcell.cli import common


def parser() -> argparse.ArgumentParser:
    """Options of `selfcell plan`."""
    made = common.make_parser(
        "plan",
        "Say what a study will take, before it is run: jobs, hours, memory, disk, downloads; from "
        "what the jobs of the released study took. Exit code 2: it cannot run, for lack of disk "
        "space, of a file, or of a source that cannot be reached.",
        "selfcell plan configs/paper.yaml --workers 100 --gpu-rate 150000",
    )
    made.add_argument("config", type=Path, help="configuration of the study")
    made.add_argument(
        "--workers", type=int, default=2, metavar="N",
        help="jobs that run at once, on a core or a GPU each (default 2), e.g. --workers 100",
    )  # fmt: skip
    made.add_argument(
        "--gpu-rate", type=float, metavar="CELLS",
        help="cells a second that pre-training reads on one GPU, as benchmarks/train.py measures "
        "them (default: no GPU, it trains on a core each), e.g. --gpu-rate 150000",
    )  # fmt: skip
    made.add_argument(
        "--results", type=Path, default=Path("results"), metavar="FOLDER",
        help="where results will be (default results), e.g. --results /scratch/results",
    )  # fmt: skip
    made.add_argument(
        "--cache", default="", metavar="FOLDER",
        help="of downloads (default: $SELFCELL_CACHE, ~/.cache/selfcell), e.g. --cache cache",
    )  # fmt: skip
    made.add_argument(
        "--offline", action="store_true",
        help="do not ask the network whether what is to be fetched can be had (default: ask), "
        "e.g. --offline --json",
    )  # fmt: skip
    return made


def main(args: argparse.Namespace) -> None:
    """Reckon and print; then say what is missing, if anything is."""
    from selfcell import plan
    from selfcell.config import load_config
    from selfcell.errors import DataError, FetchError
    from selfcell.study import Study

    study = Study(load_config(args.config))
    facts = reckoned(study, args)
    if args.json:
        common.show(facts, True)
    else:
        print(page(facts))
    absent = plan.absent(study)
    if absent:
        got = f"{len(absent)} own files are not there: {', '.join(absent)}"
        raise DataError(got, "the files that `path:` names", "put them there, or correct `path:`")
    if facts["out_of_reach"]:
        raise FetchError(
            "; ".join(facts["out_of_reach"].values()),
            "all sources of the study within reach",
            "check the network, or put the files into a folder named by SELFCELL_MIRRORS",
        )
    if facts["free_gb"] < facts["disk_gb"]:
        got = f"{args.results} has {facts['free_gb']:.1f} GB of free space"
        raise DataError(got, f"{facts['disk_gb']:.1f} GB", "free some disk space")


def reckoned(study: Any, args: argparse.Namespace) -> dict[str, Any]:
    """All that is known of a study before it runs, by name."""
    from selfcell import plan
    from selfcell.data.fetch import cache_dir, mirror_list
    from selfcell.data.reach import out_of_reach
    from selfcell.study import Study

    found = plan.shares(study)
    if args.gpu_rate:
        found = plan.on_gpus(found, study, args.gpu_rate)
    mirrors = mirror_list(study.config.mirrors)
    wanted = [source.artefact for source in plan.missing(study, cache_dir(args.cache), mirrors)]
    distant = {artefact.name: artefact for artefact in wanted if artefact.kind != "local"}
    asked = [] if args.offline else list(distant.values())
    gpu = found["pretrain"].hours if args.gpu_rate else 0.0
    released = Study(plan.load_config(plan.RELEASED / "config.yaml"))
    return {
        "rules": {rule: asdict(share) for rule, share in found.items()},
        "unknown": [r for r, work in plan.work(study).items() if work.jobs and r not in found],
        "jobs": sum(share.jobs for share in found.values()),
        "core_hours": sum(share.hours for share in found.values()) - gpu,
        "gpu_hours": gpu,
        "workers": args.workers,
        "wall_hours": plan.wall_hours(found, args.workers),
        "memory_gb": max(share.memory_mb for share in found.values()) * args.workers / 1000,
        "times_the_data": plan.size_mb(study) / plan.size_mb(released),
        "disk_gb": plan.disk_gb(study),
        "free_gb": plan.free_gb(args.results),
        "to_fetch_mb": {artefact.name: artefact.size_mb for artefact in wanted},
        "out_of_reach": out_of_reach(asked, mirrors),
    }


def page(facts: dict[str, Any]) -> str:
    """The same for reading."""
    lines = [f"{'rule':12}{'jobs':>6}{'hours':>12}{'MB a job':>10}"]
    for rule, share in facts["rules"].items():
        memory = f"{share['memory_mb']:10.0f}"
        lines.append(f"{rule:12}{share['jobs']:6}{share['hours']:12.2f}{memory}")
    if facts["unknown"]:
        named = ", ".join(facts["unknown"])
        lines.append(f"not in the released study, and so not counted: {named}")
    gpu = f", {facts['gpu_hours']:.1f} GPU hours" * bool(facts["gpu_hours"])
    lines.append(f"{'all':12}{facts['jobs']:6}{facts['core_hours']:12.2f} core hours{gpu}")
    times = facts["times_the_data"]
    lines.append(
        f"\non {facts['workers']} workers {facts['wall_hours']:.1f} hours, "
        f"{facts['memory_gb']:.1f} GB of memory at {'most' if times <= 2 else 'least'}"
    )
    if times > 2:
        lines.append(
            f"the data are {times:.0f} times those of the released study: memory "
            "grows with them, as the rules ask for it once their inputs are there"
        )
    lines.append(f"results {facts['disk_gb']:.1f} GB; free {facts['free_gb']:.1f} GB")
    sizes = facts["to_fetch_mb"]
    lines.append(f"to fetch {sum(sizes.values()):.0f} MB: {', '.join(sizes) or 'nothing'}")
    return "\n".join(lines)
