"""Say what a study will take, before it is run: `make plan`. Exit code 2: it cannot run."""

from __future__ import annotations

import argparse
from pathlib import Path

from selfcell import job


def main(args: argparse.Namespace) -> None:
    from selfcell import plan
    from selfcell.config import load_config
    from selfcell.data.fetch import cache_dir, mirror_list
    from selfcell.errors import DataError
    from selfcell.study import Study

    study = Study(load_config(args.config))
    found = plan.shares(study)
    print(f"{'rule':12}{'jobs':>6}{'core minutes':>14}{'MB a job':>10}")
    for rule, share in found.items():
        print(f"{rule:12}{share.jobs:6}{share.hours * 60:14.1f}{share.memory_mb:10.0f}")
    unknown = [rule for rule, work in plan.work(study).items() if work.jobs and rule not in found]
    if unknown:
        print(f"not in the released study, and so not counted: {', '.join(unknown)}")
    hours = sum(share.hours for share in found.values())
    print(f"{'all':12}{sum(share.jobs for share in found.values()):6}{hours * 60:14.1f}")
    memory = max(share.memory_mb for share in found.values()) * args.workers / 1000
    print(f"\non {args.workers} workers {plan.wall_hours(found, args.workers):.1f} hours,", end=" ")
    print(f"{memory:.1f} GB of memory at most")
    needed, free = plan.disk_gb(study), plan.free_gb(args.results)
    print(f"results {needed:.1f} GB; free {free:.1f} GB")
    cache = cache_dir(args.cache)
    wanted = plan.missing(study, cache, mirror_list(study.config.mirrors))
    sizes = {source.artefact.name: source.artefact.size_mb for source in wanted}
    print(f"to fetch {sum(sizes.values()):.0f} MB: {', '.join(sizes) or 'nothing'}")
    if free < needed:
        got = f"{args.results} has {free:.1f} GB of free space"
        raise DataError(got, f"{needed:.1f} GB", "free some disk space")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path, default=Path("config.yaml"), help="of the study")
    parser.add_argument("--workers", type=int, default=2, help="cores that run jobs (default 2)")
    parser.add_argument("--results", type=Path, default=Path("results"))
    parser.add_argument("--cache", default="", help="default: $SELFCELL_CACHE, ~/.cache/selfcell")
    job.run(main, parser)
