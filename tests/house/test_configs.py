"""Every configuration that is shipped can be used as it stands."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from selfcell.config import load_config
from tests.tree import REPO, tracked

CONFIGS = tracked("config.yaml", "configs/*.yaml")


def test_the_configurations_are_found() -> None:
    assert {path.name for path in CONFIGS} >= {"config.yaml", "smoke.yaml", "own-data.yaml"}


@pytest.mark.parametrize("path", CONFIGS, ids=str)
def test_configuration_loads(path: Path) -> None:
    assert load_config(REPO / path).study


def test_studies_do_not_share_a_folder() -> None:
    studies = [load_config(REPO / path).study for path in CONFIGS]
    assert len(set(studies)) == len(studies)


@pytest.mark.parametrize("path", CONFIGS, ids=str)
def test_no_shipped_configuration_names_a_mirror(path: Path) -> None:
    assert not yaml.safe_load((REPO / path).read_text(encoding="utf-8")).get("mirrors")
