"""Integration and unseen data in the configuration: who meets whom, and on which cells."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from selfcell.config import from_mapping
from selfcell.errors import ConfigError
from selfcell.slices import Slices
from selfcell.study import Model, Study

ROOT = Path(__file__).resolve().parents[1]
Data = dict[str, Any]


@pytest.fixture
def data() -> Data:
    """The default study's configuration with two methods, one of which reads gene sets."""
    data: Data = yaml.safe_load((ROOT / "config.yaml").read_text())
    data["methods"] = [
        {"name": "random_mask"},
        {"name": "gene_programme", "params": {"gene_sets": "msigdb_c8"}},
    ]
    data["unseen"]["methods"] = data["integration"]["methods"] = None
    data["integration"]["seeds"] = 1
    return data


def target(data: Data, **changes: Any) -> Data:
    """The configuration with its first integration target changed."""
    own = data["integration"]["targets"][0]
    return data | {"integration": {**data["integration"], "targets": [own | changes]}}


def test_integration_takes_the_first_seeds_of_the_corpora_asked_for(data: Data) -> None:
    study = Study(from_mapping(data))
    models = study.models_of("baron_donors")
    assert {(model.corpus, model.method) for model in models} == {
        ("kang_ctrl", "random_mask"), ("kang_ctrl", "gene_programme"),
        ("baron_pool", "random_mask"),
    }  # fmt: skip
    assert {model.seed for model in models} == {0}
    data["integration"] |= {"seeds": 2, "methods": ["random_mask"]}
    models = Study(from_mapping(data)).models_of("pbmc_studies")
    assert models == [Model("kang_ctrl", "random_mask", seed) for seed in (0, 1)]


def test_networks_of_deviations_stay_out(data: Data) -> None:
    plain = Study(from_mapping(data)).models_of("pbmc_studies")
    data["deviations"] = {"corpora": ["kang_ctrl"]}
    assert Study(from_mapping(data)).models_of("pbmc_studies") == plain


def test_only_methods_without_gene_sets_go_on_learning(data: Data) -> None:
    data["fine_tuning"]["methods"] = ["random_mask", "gene_programme"]
    study = Study(from_mapping(data))
    assert study.continued() == [
        ("baron_donors", "baron_pool", "random_mask", 0),
        ("pbmc_studies", "kang_ctrl", "random_mask", 0),
    ]


def test_the_first_model_of_a_seed_brings_scratch(data: Data) -> None:
    data["methods"].append({"name": "byol"})
    data["fine_tuning"]["methods"] = ["random_mask", "byol"]
    data["integration"]["seeds"] = 2
    study = Study(from_mapping(data))
    jobs = [job for job in study.continued() if job.target == "pbmc_studies"]
    told = [json.loads(Slices(study).continued(job)) for job in jobs]
    assert [(each["method"], each["seed"], each["scratch"]) for each in told] == [
        ("random_mask", 0, True), ("random_mask", 1, True),
        ("byol", 0, False), ("byol", 1, False),
    ]  # fmt: skip


def test_a_frozen_network_is_told_the_targets_across_that_it_is_asked_for(data: Data) -> None:
    slices = Slices(Study(from_mapping(data)))
    first, second = (json.loads(slices.frozen("kang_ctrl", "random_mask", seed)) for seed in (0, 1))
    assert set(first["integrate"]) == {"baron_donors", "pbmc_studies"}
    assert second["integrate"] == {}  # integration takes one seed
    assert set(first["unseen"]) == set(second["unseen"]) == {"kang_to_pbmc3k"}
    pool = json.loads(slices.frozen("baron_pool", "random_mask", 0))
    assert set(pool["integrate"]) == {"baron_donors"} and pool["unseen"] == {}


def test_what_rivals_are_told_holds_no_method(data: Data) -> None:
    """So that a changed method leaves their jobs alone."""
    before = Slices(Study(from_mapping(data)))
    data["methods"][0]["params"] = {"rate": 0.3}
    data["methods"].append({"name": "byol"})
    after = Slices(Study(from_mapping(data)))
    assert before.integrate("pbmc_studies") == after.integrate("pbmc_studies")
    assert before.unseen("kang_to_pbmc3k") == after.unseen("kang_to_pbmc3k")


def test_a_slice_holds_the_common_types_of_several_data_sets_alone(data: Data) -> None:
    slices = Slices(Study(from_mapping(data)))
    one, two = (json.loads(slices.integrate(name)) for name in ("baron_donors", "pbmc_studies"))
    assert one["cells"]["types"] == {}
    assert two["cells"]["types"]["CD4 T"]["kang"] == ["CD4 Naive T", "CD4 Memory T"]


def test_stores_are_those_of_its_sources(data: Data) -> None:
    assert Study(from_mapping(data)).stores_of(["pbmc_studies"]) == ["kang", "pbmc3k"]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"sources": [{"dataset": "nowhere"}]}, "unknown 'nowhere'"),
        ({"corpora": ["nothing"]}, "unknown 'nothing'"),
        ({"fine_tune": ["kang_ctrl_shuffled"]}, "unknown 'kang_ctrl_shuffled'"),
        ({"name": "baron"}, "'baron' stands twice"),
        ({"batch": "lane"}, "batch"),
        ({"sources": [{"dataset": "baron", "pool_of": "baron"}]}, "take where, not pool_of"),
        (
            {"sources": [{"dataset": "baron"}, {"dataset": "kang"}]},
            "`types` names no label of baron",
        ),
    ],
)
def test_an_integration_target_that_cannot_be_is_refused(
    data: Data, changes: Data, says: str
) -> None:
    with pytest.raises(ConfigError, match=says):
        from_mapping(target(data, **changes))


def test_types_name_data_sets_of_the_study(data: Data) -> None:
    data["types"]["B"]["nowhere"] = ["B"]
    with pytest.raises(ConfigError, match=r"types.B: unknown 'nowhere'"):
        from_mapping(data)


def test_a_corpus_without_models_is_refused(data: Data) -> None:
    data["corpora"].append({"name": "alone", "sources": [{"dataset": "kang"}]})
    study = Study(from_mapping(target(data, corpora=["alone"], fine_tune=[])))
    with pytest.raises(ConfigError, match="no model is trained on corpus alone"):
        study.models_of("baron_donors")


def unseen(data: Data, **changes: Any) -> Data:
    """The configuration with its unseen target changed."""
    (own,) = data["unseen"]["targets"]
    return data | {"unseen": {**data["unseen"], "targets": [own | changes]}}


def test_unseen_data_takes_every_seed_and_a_slice_of_its_own(data: Data) -> None:
    study = Study(from_mapping(data))
    (name,) = study.unseen
    assert {model.seed for model in study.models_of(name)} == {0, 1, 2}
    assert {model.corpus for model in study.models_of(name)} == {"kang_ctrl"}
    assert study.stores_of([name]) == ["kang", "pbmc3k"]
    spec = json.loads(Slices(study).unseen(name))
    assert spec["cells"]["query"] == "pbmc3k" and spec["cells"]["labels"]["regimes"] == [30]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"query": "baron_donors"}, "unknown 'baron_donors'"),
        ({"corpora": ["kang_ctrl", "pbmc3k_pool"]}, "its corpus pbmc3k_pool holds cells of pbmc3k"),
        ({"reference": {"dataset": "pbmc3k"}}, "its reference holds cells of pbmc3k"),
        ({"reference": {"dataset": "baron"}}, "`types` names no label of baron"),
        ({"reference": {"dataset": "nowhere"}}, "unknown 'nowhere'"),
        ({"name": "baron_donors"}, "'baron_donors' stands twice"),
    ],
)
def test_an_unseen_target_that_was_seen_or_cannot_be_is_refused(
    data: Data, changes: Data, says: str
) -> None:
    with pytest.raises(ConfigError, match=says):
        from_mapping(unseen(data, **changes))


def test_without_the_sections_there_is_nothing_to_do(data: Data) -> None:
    study = Study(from_mapping(data | {"integration": None, "types": {}, "unseen": None}))
    assert not study.mixtures and not study.unseen
