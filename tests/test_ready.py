"""Ready models in a configuration: what is run with them, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from selfcell.config import from_mapping
from selfcell.errors import ConfigError
from selfcell.slices import Slices
from selfcell.study import FineTune, Model, Study
from tests.comparison.test_design import made
from tests.tasks.test_model import GOLDEN

ABOUT = json.loads((GOLDEN / "model.json").read_text())
METHOD = ABOUT["spec"]["method"]


def study(effort: str = "default", **changed: Any) -> Study:
    """A study of own cells with one ready model."""
    return Study(from_mapping(made(effort, models={GOLDEN: "given"}) | changed))


def test_it_is_evaluated_once_and_never_trained() -> None:
    one = study()
    assert one.evaluated()[-1] == Model("given", METHOD, 0)
    assert not [model for model in one.models() if model.corpus == "given"]
    assert one.fine_tunes()[-1] == FineTune("mine", "given", METHOD, 0)
    assert [job.corpus for job in study("quick").fine_tunes()] == []
    plain = Study(from_mapping(made("default")))
    assert one.models() == plain.models()
    assert one.evaluated()[:-1] == plain.evaluated() and one.fine_tunes()[:-1] == plain.fine_tunes()


def test_it_keeps_its_own_network() -> None:
    slices = Slices(study())
    frozen = json.loads(slices.frozen("given", METHOD, 0))
    tuned = json.loads(slices.finetune(FineTune("mine", "given", METHOD, 0)))
    for spec in (frozen, tuned):
        assert spec["network"]["hidden"] == ABOUT["spec"]["network"]["hidden"]
    scratch = json.loads(slices.finetune(FineTune("mine", "none", "scratch", 0)))
    assert scratch["network"]["hidden"] != ABOUT["spec"]["network"]["hidden"]


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    given = [{"name": "given", "path": str(tmp_path)}]
    with pytest.raises(ConfigError, match=r"models.given: no readable model in .*import-check"):
        study(models=given)
    (tmp_path / "model.json").write_text('{"spec": {"method": "byol", "network": {"hiden": 3}}}')
    with pytest.raises(ConfigError, match="no readable model"):
        study(models=given)


@pytest.mark.parametrize(
    ("name", "said"),
    [("mine_pool", "'mine_pool' stands twice"), ("none", "'none' names an arm of the study")],
)
def test_names_that_would_mix_up_arms_are_refused(name: str, said: str) -> None:
    settings = made("default", models={GOLDEN: "given"})
    settings["models"][0]["name"] = name
    settings["targets"][0].update(models=[name], fine_tune=[])
    with pytest.raises(ConfigError, match=said):
        from_mapping(settings)


def test_a_target_names_models_that_are_there() -> None:
    settings = made("default", models={GOLDEN: "given"})
    settings["targets"][0]["models"] = ["givn"]
    with pytest.raises(ConfigError, match=r"targets.mine.models: unknown 'givn'.*'given'"):
        from_mapping(settings)


def test_it_says_which_share_of_its_genes_is_needed() -> None:
    assert study().ready["given"].min_found == 0.5
    settings = made("default", models={GOLDEN: "given"}, min_found=0.3)
    assert Study(from_mapping(settings)).ready["given"].min_found == 0.3
    settings["models"][0]["min_found"] = 30
    with pytest.raises(ConfigError, match=r"min_found"):
        from_mapping(settings)
