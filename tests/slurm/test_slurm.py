"""The smoke study on a Slurm of one node, to its report: cancelled, out of time, out of memory, and
the same bytes as here.

One run shows all, since it takes minutes. Of its two pre-training jobs one is cancelled while it
trains; the other is held while it trains until Slurm's time limit, a minute at least, ends it.
Meanwhile a job takes more memory than it asked for.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import yaml

from selfcell.figures import FIGURES
from tests.e2e.project import Project
from tests.house.test_readme import commands
from tests.house.test_rules import RULES
from tests.slurm.cluster import Cluster
from tests.slurm.watched import Run, Training, running
from tests.tree import REPO, copied

pytestmark = [pytest.mark.slow, pytest.mark.slurm]

# What a site sets in the profile; and less waiting, which a cluster of one node can afford. 350 MB
# are too few for a job that imports torch, beside the two Snakemakes around it.
OPTIONS = [
    *("--workflow-profile", "profiles/slurm", "--set-resources", "pretrain:gpu=1"),
    *("pretrain:runtime=8**(attempt-1)", "baseline:mem_mb=350*4**(attempt-1)"),
    *("--default-resources", "slurm_partition=main", "slurm_account=anyone"),
    *("--slurm-status-command", "squeue", "--slurm-init-seconds-before-status-checks", "3"),
]
# All that the study says; only the figure of what it cost differs from run to run.
TABLES = ("scores", "predictions", "contrasts", "task_contrasts", "type_changes", "claims")
SAME = [f"{name}.parquet" for name in TABLES] + [
    f"figures/{name}.{kind}" for name in FIGURES if name != "cost" for kind in ("csv", "pdf", "png")
]


class Job(Training):
    """A pre-training, as Slurm knows it."""

    def __init__(self, run: Run, method: str, cluster: Cluster) -> None:
        super().__init__(run, method)
        self.cluster = cluster

    def ids(self) -> list[str]:
        """Slurm's number of each attempt."""
        submitted = rf"SLURM jobid (\d+) \(log: \S*/rule_pretrain/\w*{self.method}"
        return re.findall(submitted, self.run.said)

    def cancel(self) -> None:
        """Cancel the job in the midst of training."""
        self.hold()
        self.cluster.ask("scancel", *self.ids())

    def attempts(self) -> list[str]:
        """Slurm's description of each attempt."""
        return [self.cluster.ask("scontrol", "show", "job", number) for number in self.ids()]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """A Slurm that is there for this module."""
    with tempfile.TemporaryDirectory(prefix="slurm") as folder:
        cluster = Cluster(Path(folder) / "one")
        try:
            cluster.up()
            yield cluster
        finally:
            cluster.down()


@pytest.fixture(scope="module")
def study(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Job]]:
    """The study, run to its end through its accidents; the trainings that had them."""
    project = Project(copied(tmp_path_factory.mktemp("slurm") / "checkout"))
    with running(project, OPTIONS, cluster.environment) as run:
        late, cancelled = Job(run, "simclr", cluster), Job(run, "random_mask", cluster)
        with ThreadPoolExecutor() as pool:
            for accident in [pool.submit(late.hold), pool.submit(cancelled.cancel)]:
                accident.result()
        run.finish()
        yield {"late": late, "cancelled": cancelled}


def test_slurm_gives_the_bytes_of_a_local_run(study: dict[str, Job], smoke: Project) -> None:
    run = study["late"].run
    assert "Using workflow specific profile profiles/slurm" in run.said
    assert [name for name in SAME if run.project.result(name) != smoke.result(name)] == []
    assert run.project.planned() == set(), "report and all else are there"


def test_a_cancelled_job_goes_on_from_the_step_it_had_reached(study: dict[str, Job]) -> None:
    job = study["cancelled"]
    first, second = job.attempts()
    assert "JobState=CANCELLED" in first and "JobState=COMPLETED" in second
    assert 0 < job.held <= job.steps()[0] < 80


def test_a_job_out_of_time_goes_on_with_more_time(study: dict[str, Job]) -> None:
    job = study["late"]
    first, second = job.attempts()
    assert "JobState=TIMEOUT" in first and "TimeLimit=00:01:00" in first
    assert "JobState=COMPLETED" in second and "TimeLimit=00:08:00" in second
    assert 0 < job.held <= job.steps()[0] < 80


def test_a_job_out_of_memory_is_tried_again_with_more(study: dict[str, Job]) -> None:
    run = study["late"].run
    assert len(re.findall(r"SLURM jobid \d+ \(log: \S*/rule_baseline/", run.said)) == 2
    # The plugin keeps the logs of attempts that failed.
    logs = (run.project.root / ".snakemake/slurm_logs/rule_baseline").glob("*/*.log")
    (log,) = [path.read_text(encoding="utf-8") for path in logs]
    assert "Exceeded job memory limit" in log


def test_slurm_is_asked_for_what_the_profile_says(study: dict[str, Job]) -> None:
    job = study["cancelled"]
    for asked in ("Partition=main", "Account=anyone", "Requeue=1", "gres:gpu:1", "NumCPUs=1"):
        assert asked in job.attempts()[0]
    submitted = re.findall(r"log: \S*/(group|rule)_(\w+)", job.run.said)
    groups = {name.split("_")[0] for kind, name in submitted if kind == "group"}
    alone = {name for kind, name in submitted if kind == "rule"}
    assert groups == {"data", "frozen", "figures"}
    evaluated = {"finetune", "protein", "baseline", "integrate", "continued", "project"}
    evaluated.add("reconstruct")
    answers = {"shared_variance", "collect", "by_gene", "contrasts"}
    assert alone == {"pretrain", *evaluated, *answers}


def test_the_readme_gives_the_command_that_is_run_here() -> None:
    readme = (REPO / "README.md").read_text(encoding="utf-8")
    section = readme.partition("**On a cluster.**")[2].partition("\n**")[0]
    (typed,) = [words[1:] for words in commands(section) if words[0] == "snakemake"]
    for word in typed:
        assert any(option.startswith(word.removesuffix("NAME")) for option in OPTIONS), word


def test_every_figure_is_in_the_group_of_figures() -> None:
    profile = yaml.safe_load((REPO / "profiles/slurm/config.yaml").read_text(encoding="utf-8"))
    groups = dict(each.split("=") for each in profile["groups"])
    figures = {f"figure_{name}" for name in FIGURES}
    drawn = {rule for rule, group in groups.items() if group == "figures"}
    assert drawn == figures | {"claims", "report"}
    assert set(groups) <= set(RULES)


@pytest.mark.parametrize("config", ["config.yaml", "configs/smoke.yaml", "configs/blood.yaml"])
def test_a_whole_study_can_be_put_into_its_groups(config: str, checkout: Path) -> None:
    said = Project(checkout, config).run("--dry-run", "--workflow-profile", "profiles/slurm").stdout
    assert "Group job figures" in said and "Group job data" in said


def test_the_cluster_leaves_nothing(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path / "one")
    try:
        cluster.up()
        assert cluster.ask("srun", "-n1", "hostname")
    finally:
        cluster.down()
    commands = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline")]
    assert not [command for command in commands if str(cluster.root).encode() in command]
