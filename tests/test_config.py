"""The configuration: what is refused and how, and its schema."""

from pathlib import Path

import pytest
import yaml

from selfcell.config import Config, from_mapping, load_config
from selfcell.errors import ConfigError

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def data():
    return yaml.safe_load((ROOT / "config.yaml").read_text())


def test_the_default_study_is_what_the_protocol_asks_for(data):
    config = from_mapping(data)
    assert [corpus.name for corpus in config.corpora][:2] == ["kang_ctrl", "baron_pool"]
    assert {target.name for target in config.targets} == {"pbmc3k", "kang_stim", "baron"}
    assert config.labels.regimes == (3, 10, 30, "all")
    assert config.labels.draws == 10
    assert len(config.pretraining.seeds) == 3
    assert {"pca", "logreg", "random_encoder", "random_projection", "majority"} <= set(
        config.baselines
    )


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (["pretraining", "step"], 3, ["unknown key 'step'", "did you mean 'steps'"]),
        (["pretrainin"], {}, ["unknown key 'pretrainin'", "did you mean 'pretraining'"]),
        (["quality", "max_mito"], 1.5, ["max_mito: 1.5", "[0.0, 1.0]"]),
        (["pretraining", "batch"], 1, ["batch: 1", "[2, 65536]"]),
        (["unseen", "shares"], [0.25, 0.5, 0.25], ["unseen.shares: '0.25' stands twice"]),
        (["corpora", 0, "sources", 0, "where"], {"condition": []}, ["where.condition"]),
        (["methods", 0, "name"], "m" * 101, ["methods.0.name"]),
        (["network", "dropout"], "much", ["network.dropout"]),
        (["methods", 0, "params", "rat"], 0.5, ["unknown parameter 'rat'", "did you mean 'rate'"]),
        (["methods", 0, "params", "rate"], 2, ["methods.random_mask.rate: 2", "[0.01, 0.99]"]),
        (["methods", 0, "method"], "randommask", ["unknown method", "did you mean 'random_mask'"]),
        (["targets", 0, "dataset"], "pbmc4k", ["unknown 'pbmc4k'", "did you mean 'pbmc3k'"]),
        (["targets", 0, "corpora"], ["kang_ctlr"], ["did you mean 'kang_ctrl'"]),
        (["targets", 0, "split"], {"kind": "column"}, ["targets.pbmc3k.split", "needs a column"]),
        (["corpora", 0, "sources", 0, "dataset"], "kangg", ["did you mean 'kang'"]),
        (
            ["corpora", 4, "part_of"],
            "kang",
            ["part_of: unknown 'kang'", "did you mean 'kang_ctrl'"],
        ),
        (["corpora", 4, "part_of"], "kang_ctrl_2000", ["part_of: unknown 'kang_ctrl_2000'"]),
        (["corpora", 4, "part_of"], "", ["either sources or part_of"]),
        (["corpora", 3, "shuffle_genes"], False, ["ends in _shuffled go together"]),
        (["models"], [{"name": "m_shuffled", "path": "m"}], ["a corpus's of shuffled genes"]),
        (["corpora", 0, "shuffle_genes"], True, ["ends in _shuffled go together"]),
        (["corpora", 4, "sources"], [{"dataset": "kang"}], ["either sources or part_of"]),
        (["corpora", 4, "max_cells"], 0, ["says max_cells or max_donors"]),
        (["baselines"], ["pcaa"], ["unknown 'pcaa'", "did you mean 'pca'"]),
        (["fine_tuning", "regimes"], [{"labels": 11}], ["unknown '11'"]),
        (["study"], "../up", ["study"]),
        (["pretraining", "steps"], True, ["steps: true is no number"]),
        (
            ["pretraining", "cells"],
            12_800,
            ["cells: 12800 beside steps: 400; leave one of them out"],
        ),
        (["pretraining", "max_epochs"], 0, ["max_epochs: 0 is outside (0"]),
        (["pretraining", "max_minutes"], -1, ["max_minutes: -1 is outside (0"]),
        (["pretraining", "patience"], 0, ["patience: 0 is outside [1"]),
        (["pretraining", "device"], "gpu", ["device: a GPU is called 'cuda' here"]),
        (["pretraining", "device"], "tpu", ["device: unknown 'tpu'"]),
        (["pretraining", "seeds"], [0, False], ["seeds.1: false is no number"]),
        (["protein", "tuning", "n_train"], [999], ["unknown '999'", "there are: 100, 50, all"]),
        (["protein", "tuning", "draws"], 11, ["draws: 11", "[1, 10] (draws of cite_200)"]),
    ],
)
def test_what_is_refused_and_how(data, path, value, words):
    place = data
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    with pytest.raises(ConfigError) as error:
        from_mapping(data)
    for word in words:
        assert word in str(error.value)


@pytest.mark.parametrize(("cells", "steps"), [(12_800, 50), (12_801, 51), (2, 1)])
def test_a_budget_in_cells_is_one_in_steps(data, cells, steps):
    del data["pretraining"]["steps"]
    data["pretraining"]["cells"] = cells
    config = from_mapping(data)
    assert config.pretraining.steps == steps
    assert from_mapping(config.model_dump(mode="json")).pretraining == config.pretraining


def test_a_misspelt_column_names_the_one_meant(data):
    data["corpora"][0]["sources"][0]["where"] = {"conditon": ["CTRL"]}
    with pytest.raises(ConfigError) as caught:
        from_mapping(data)
    said = str(caught.value)
    assert (
        "corpora.0.sources.0.where.conditon: unknown 'conditon'; did you mean 'condition'?" in said
    )
    assert "Value error" not in said


def test_a_study_needs_its_name(data):
    del data["study"]
    with pytest.raises(ConfigError, match="study: Field required"):
        from_mapping(data)


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (("pretraining", "seeds"), [-5], r"seeds\.0: -5 is outside \[0, 1000000000\]"),
        (("pretraining", "seeds"), [], "at least 1"),
        (("pretraining", "seeds"), [0, 0], "'0' stands twice"),
        (("network", "hidden"), [64, 0], r"hidden\.1: 0 is outside \[1, 65536\]"),
        (("network", "hidden"), [], "at least 1"),
        (("frozen", "readouts"), [], "at least 1"),
        (("fine_tuning", "grid"), {"lr": [-1.0]}, r"lr\.0: -1\.0 is outside \[1e-07, 1\.0\]"),
        (("targets", 0, "split", "test_fraction"), 1.5, r"1\.5 is outside \(0, 1\)"),
        (("targets", 1, "split", "test"), ["STIM", "CTRL"], "'CTRL' stands in both"),
        (("labels", "draws"), 2, r"3 draws of 10 labels are outside \[1, 2\]"),
        (("study",), "released", "where `make release` writes"),
    ],
)
def test_lists_and_pairs_are_checked_too(data, path, value, words):
    part = data
    for key in path[:-1]:
        part = part[key]
    part[path[-1]] = value
    with pytest.raises(ConfigError, match=words):
        from_mapping(data)


def test_a_parameter_that_is_no_number(data):
    data["methods"][0]["params"] = {"rate": float("nan")}
    with pytest.raises(ConfigError, match="rate: nan; needed: a float"):
        from_mapping(data)


def test_names_must_differ(data):
    data["methods"] = data["methods"][:1] * 2
    with pytest.raises(ConfigError, match="stands twice"):
        from_mapping(data)


def test_files_that_are_no_configuration(tmp_path):
    bad = tmp_path / "bad.yaml"
    bad.write_text("study: [")
    with pytest.raises(ConfigError, match="not YAML"):
        load_config(bad)
    bad.write_text("- a list")
    with pytest.raises(ConfigError, match="no mapping"):
        load_config(bad)


def test_every_key_is_described():
    def walk(schema, where):
        for name, field in schema.get("properties", {}).items():
            described = field.get("description") or "$ref" in field or "allOf" in field
            assert described, f"{where}.{name} has no description"

    schema = Config.model_json_schema()
    assert len(schema["$defs"]) > 10
    walk(schema, "Config")
    for name, part in schema["$defs"].items():
        walk(part, name)


def test_the_committed_schema_is_the_code_s():
    from selfcell.config import schema

    committed = yaml.safe_load((ROOT / "workflow/schemas/config.schema.yaml").read_text())
    assert committed == schema(), "run `make schema`"


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (("corpora", 0, "name"), "none", "corpora: 'none' names an arm of the study itself"),
        (("methods", 0, "name"), "pca", "methods: 'pca' names an arm of the study itself"),
        (("baselines",), ["pca", "pca"], "baselines: 'pca' stands twice"),
        (("targets", 0, "corpora"), ["kang_ctrl", "kang_ctrl"], "'kang_ctrl' stands twice"),
        (
            ("corpora", 0, "sources"),
            [{"dataset": "kang", "pool_of": "nope"}],
            "pool_of: unknown 'nope'",
        ),
    ],
)
def test_names_that_would_mix_up_arms_are_refused(data, path, value, words):
    part = data
    for key in path[:-1]:
        part = part[key]
    part[path[-1]] = value
    if path == ("methods", 0, "name"):
        part["method"] = "random_mask"
    with pytest.raises(ConfigError, match=words):
        from_mapping(data)


def test_a_value_in_place_of_a_list_is_one_fault(data):
    data["corpora"][0]["sources"][0]["where"] = {"condition": "CTRL"}
    with pytest.raises(ConfigError) as error:
        from_mapping(data)
    place = "configuration: corpora.0.sources.0.where.condition"
    assert error.value.got == f"{place}: 'CTRL' is no list; remedy: [CTRL]"


def test_a_part_has_the_sources_of_its_whole_and_no_say_in_the_genes(data):
    corpora = from_mapping(data).filled
    whole, part = corpora["kang_ctrl"], corpora["kang_ctrl_600"]
    assert part.sources == whole.sources
    assert (part.vocabulary, whole.vocabulary) == (False, True)


def test_a_part_may_be_drawn_by_donors_alone(data):
    data["corpora"][4] |= {"max_cells": 0, "max_donors": 3}
    part = from_mapping(data).filled["kang_ctrl_600"]
    assert (part.max_cells, part.max_donors) == (0, 3)
