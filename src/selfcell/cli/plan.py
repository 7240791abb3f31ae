"""Say what a study will take, before it is run."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from selfcell.cli import common

MEASURE = "python benchmarks/train.py --batch 8192 --out train.jsonl --device cuda --steps 50"
LIKE = 1.05  # times the released study's, within which a job is taken to be like its own
UNMEASURED = f"""\
GPU hours are not known, for no GPU's rate was measured: pre-training is reckoned on a core each.
On the GPU, in a checkout, {MEASURE}
measures cells/s of `selfcell` by method; then plan with --gpu-rate CELLS"""


def parser() -> argparse.ArgumentParser:
    """Options of `selfcell plan`."""
    made = common.make_parser(
        "plan",
        "Say what a study will take, before it is run: jobs, hours, memory, disk, downloads; from "
        "what the jobs of the released study took. Exit code 2: it cannot run, for lack of disk "
        "space, of a library, of a file, or of a source that cannot be reached.",
        "selfcell plan configs/paper.yaml --workers 100",
    )
    made.add_argument("config", type=Path, help="configuration of the study")
    workers = "jobs that run at once, on a core or a GPU each"
    common.option(made, "--workers", "N", workers, 100, default=2, kind=int)
    rate = f"cells a second that pre-training reads on one GPU, as measured there by {MEASURE}"
    shown = "not known, for none was measured: it trains on a core each"
    common.option(made, "--gpu-rate", "CELLS", rate, 150000, shown=shown, kind=float)
    common.option(
        made, "--results", "FOLDER", "where results will be", "/scratch/results",
        default=Path("results"), kind=Path,
    )  # fmt: skip
    shown = "$SELFCELL_CACHE, ~/.cache/selfcell"
    common.option(made, "--cache", "FOLDER", "of downloads", "cache", default="", shown=shown)
    asked = "do not ask the network whether what is to be fetched can be had"
    common.switch(made, "--offline", asked, "ask", "--json")
    return made


def main(args: argparse.Namespace) -> None:
    """Reckon and print; then say what is missing, if anything is."""
    from selfcell import plan
    from selfcell.config import load_config
    from selfcell.data.fetch import cache_dir, mirror_list
    from selfcell.data.reach import out_of_reach
    from selfcell.errors import ConfigError, DataError, FetchError
    from selfcell.extras import RIVALS
    from selfcell.study import Study

    study = Study(load_config(args.config))
    mirrors = mirror_list(study.config.mirrors)
    facts = plan.reckon(study, args.results, args.cache, args.workers, args.gpu_rate)
    asked = [] if args.offline else plan.missing(study, cache_dir(args.cache), mirrors)
    distant = {each.artefact.name: each.artefact for each in asked}
    far = [artefact for artefact in distant.values() if artefact.kind != "local"]
    facts["out_of_reach"] = out_of_reach(far, mirrors)
    if args.json:
        common.show(facts, True)
    else:
        print(page(facts))
    wanted = set(facts["lacking"].items()) - set(RIVALS.values())
    if wanted:
        extras = ",".join(sorted({extra for _, extra in wanted}))
        raise ConfigError(
            f"{', '.join(sorted(module for module, _ in wanted))}: not installed",
            f"the extras {extras}",
            f"pip install -c envs/constraints.txt -e '.[{extras}]'",
        )
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
    downloads = facts["cache_gb"]
    needed = facts["disk_gb"] + downloads * facts["one_disk"]
    for folder, free, wanted in (
        (args.results, facts["free_gb"], needed),
        (cache_dir(args.cache), facts["cache_free_gb"], downloads),
    ):
        if free < wanted:
            got = f"{folder} has {free:.1f} GB of free space"
            raise DataError(got, f"{wanted:.1f} GB", "free some disk space, or name another folder")


def page(facts: dict[str, Any]) -> str:
    """The same for reading."""
    from selfcell.extras import RIVALS

    lines = [f"{'rule':12}{'jobs':>6}{'hours':>12}{'MB a job':>10}"]
    for rule, share in facts["rules"].items():
        memory = f"{share['memory_mb']:10.0f}"
        lines.append(f"{rule:12}{share['jobs']:6}{share['hours']:12.2f}{memory}")
    if facts["unknown"]:
        named = ", ".join(facts["unknown"])
        lines.append(f"not in the released study, and so not counted: {named}")
    known = facts["gpu_hours"] is not None
    gpu = f", {facts['gpu_hours']:.1f} GPU hours" if known else ""
    lines.append(f"{'all':12}{facts['jobs']:6}{facts['core_hours']:12.2f} core hours{gpu}")
    if not known:
        lines.append(UNMEASURED)
    larger = {rule: each["times"] for rule, each in facts["rules"].items() if each["times"] > LIKE}
    lines.append(
        f"\non {facts['workers']} workers {facts['wall_hours']:.1f} hours, "
        f"{facts['memory_gb']:.1f} GB of memory at {'least' if larger else 'most'}"
    )
    if larger:
        named = ", ".join(f"{rule} {times:.1f}" for rule, times in larger.items())
        lines.append(
            f"times as much to do in a job as in the released study: {named}; their memory grows "
            "with it, as the rules ask for it once their inputs are there"
        )
    lines.append(f"results {facts['disk_gb']:.1f} GB; free {facts['free_gb']:.1f} GB")
    for name, (module, extra) in RIVALS.items():
        if module in facts["lacking"]:
            lines.append(f"left out: {name}, for {module} is not installed (extra `{extra}`)")
    sizes = facts["to_fetch_mb"]
    lines.append(f"to fetch {sum(sizes.values()):.0f} MB: {', '.join(sizes) or 'nothing'}")
    return "\n".join(lines)
