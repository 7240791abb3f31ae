"""What all tests share: one thread, the checkout, skips for what a machine may lack.

Under SELFCELL_STRICT=1, which the continuous integration sets, a skip is a failure: nothing is
left untested because an installation step went missing.
"""

from __future__ import annotations

import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[_name] = "1"  # before numpy and torch are imported; more threads, other sums

import shutil
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.tree import REPO, copied

if TYPE_CHECKING:
    from tests.e2e.installed import Installed
    from tests.e2e.project import Project

NEEDS = {
    "browser": (("chromium", "chromedriver"), "Debian packages chromium and chromium-driver"),
    "slurm": (("slurmctld", "slurmd", "munged"), "Debian packages slurm-wlm and munge"),
}


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test whose marker names a programme that this machine has not."""
    for marker, (programmes, packages) in NEEDS.items():
        absent = [name for name in programmes if shutil.which(name) is None]
        if item.get_closest_marker(marker) and absent:
            pytest.skip(f"{', '.join(absent)} not found: install {packages}")


def _refuse_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    strict = os.environ.get("SELFCELL_STRICT") == "1"
    if strict and report.outcome == "skipped" and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"{reason} (a skip fails under SELFCELL_STRICT=1)"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn the skip of a test into a failure where the run is strict."""
    report = yield
    _refuse_skip(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Turn the skip of a whole module into a failure where the run is strict."""
    report = yield
    _refuse_skip(report)
    return report


@pytest.fixture(scope="session")
def repo() -> Path:
    """The root of the checkout."""
    return REPO


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of the project's files in an empty folder, as a fresh clone would hold them."""
    return copied(tmp_path / "checkout")


@pytest.fixture(scope="session")
def smoke(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A copy of the project in which the smoke study was run, once for all tests."""
    from tests.e2e.project import Project

    project = Project(copied(tmp_path_factory.mktemp("smoke") / "checkout"))
    project.log = project.run().stdout
    return project


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """The wheel in an environment of its own, made once for all tests."""
    from tests.e2e.installed import install

    return install(tmp_path_factory.mktemp("installed with spaces"))
