"""The file of claims: what it holds, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
import yaml

from selfcell.claims import Claims, load
from selfcell.data.parse import parse
from selfcell.errors import ConfigError
from tests.tree import REPO

FILE = REPO / "resources" / "claims.yaml"


@pytest.fixture
def data() -> dict:
    return yaml.safe_load(FILE.read_text(encoding="utf-8"))


def test_every_kind_of_claim_is_there() -> None:
    claims = {claim.id: claim for claim in load(FILE)}
    assert set(claims) >= {
        *("pbmc_gain", "tabula_sapiens_gain", "hlca_no_gain", "same_data_no_gain"),
        *("unseen_data_gain", "masked_over_byol", "masked_over_barlow", "frozen_over_random"),
        *("programme_mask_best", "rare_types_pbmc", "protein_gain", "integration_gain"),
        "reconstruction_hlca",
    }
    flat = {direction for direction in claims if claims[direction].direction == "none"}
    assert flat == {"hlca_no_gain", "same_data_no_gain"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"margn": 0.1}, "unknown key 'margn'; did you mean 'margin'?"),
        ({"direction": "down"}, "unknown 'down'"),
        ({"margin": -1}, r"margin: -1 is outside \[0.0, 1.0\]"),
        ({"not_testable": "no data"}, "one of contrasts, scores, types, not_testable is needed"),
        ({"contrasts": []}, "nothing given; one of contrasts"),
        ({"differs": ""}, "differs: needed with an analogue"),
        ({"per_type": "perclass_PBMC"}, "runs, per_type: one of them"),
        ({"runs": {"table": "clasification_runs"}}, "did you mean 'classification_runs'?"),
    ],
)
def test_what_is_wrong_is_named(data: dict, change: dict, message: str) -> None:
    data["claims"][0] |= change
    with pytest.raises(ConfigError, match=message):
        parse(Claims, data, "claims.yaml")


def test_scores_name_task_metric_and_methods(data: dict) -> None:
    claim = next(each for each in data["claims"] if "scores" in each)
    (scores,) = claim["scores"]
    del scores["where"]["task"]
    with pytest.raises(ConfigError, match="where: task is missing"):
        parse(Claims, data, "claims.yaml")
    scores |= {"where": {"task": "annotate", "metric": "macro_f1"}, "b": {}}
    with pytest.raises(ConfigError, match="b: method is missing"):
        parse(Claims, data, "claims.yaml")


def test_a_claim_given_twice_is_refused(data: dict) -> None:
    data["claims"].append(data["claims"][0])
    with pytest.raises(ConfigError, match="claims given twice: pbmc_gain"):
        parse(Claims, data, "claims.yaml")


def test_what_is_no_file_of_claims_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="needed: a YAML file of claims"):
        load(tmp_path / "none.yaml")
    (tmp_path / "a.yaml").write_text("claims: [")
    with pytest.raises(ConfigError, match="needed: a YAML file of claims"):
        load(tmp_path / "a.yaml")


def test_analogues_name_tasks_and_metrics_that_a_study_writes() -> None:
    """Integration is a task of the paper that no study here has yet; the ledger says so."""
    released = pd.read_parquet(REPO / "results" / "released" / "default" / "scores.parquet")
    written = set(zip(released.task, released.metric, strict=True))
    for claim in load(FILE):
        for where in (each.where for each in claim.scores if each.where["task"] != "integrate"):
            assert (where["task"], where["metric"]) in written, claim.id
