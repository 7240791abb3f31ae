"""What each job is told: a setting reaches its own branch alone."""

import json

import pytest

from selfcell import autoencoders
from selfcell.config import from_mapping
from selfcell.errors import ConfigError
from selfcell.slices import Slices
from selfcell.study import FineTune, Study
from tests import two_methods


@pytest.fixture
def data():
    return two_methods.configuration()


def specs(data):
    study = Study(from_mapping(data))
    return {model: Slices(study).pretrain(*model) for model in study.models()}


def test_a_hyper_parameter_reaches_its_own_method_only(data):
    before = specs(data)
    data["methods"][1]["params"]["rate"] = 0.2
    after = specs(data)
    changed = {model for model in before if before[model] != after[model]}
    assert changed == {model for model in before if model.method == "light_mask"}


def test_a_new_method_or_target_leaves_the_others_alone(data):
    before = specs(data)
    data["methods"].append({"name": "third", "method": "random_mask"})
    data["targets"][0]["corpora"] = ["kang_ctrl"]
    data["corpora"] = [c for c in data["corpora"] if c["name"] != "kang_ctrl_shuffled"]
    after = specs(data)
    assert all(after[model] == text for model, text in before.items() if model in after)


def test_a_default_spelled_out_is_the_same_job(data):
    before = specs(data)
    data["methods"][0]["params"]["rescale"] = False
    assert specs(data) == before


def test_scratch_long_has_the_steps_of_pretraining_too(data):
    study = Study(from_mapping(data))
    short = json.loads(Slices(study).finetune(FineTune("pbmc3k", "none", "scratch", 0)))
    long = json.loads(Slices(study).finetune(FineTune("pbmc3k", "none", "scratch_long", 0)))
    for one, other in zip(short["regimes"], long["regimes"], strict=True):
        assert other["steps"] - one["steps"] == data["pretraining"]["steps"]
        assert other["lr"] == one["lr"]


def test_shallow_scratch_is_scratch_with_one_layer(data):
    slices = Slices(Study(from_mapping(data)))
    deep, shallow = (
        json.loads(slices.finetune(FineTune("pbmc3k", "none", arm, 0)))
        for arm in ("scratch", "scratch_shallow")
    )
    assert shallow["network"] == {**deep["network"], "hidden": deep["network"]["hidden"][:1]}
    for one, other in zip(deep["regimes"], shallow["regimes"], strict=True):
        assert other == {**one, "draws": 1}


def test_published_reaches_methods_networks_and_scratch(data):
    data["protocol"] = "published"
    study = Study(from_mapping(data))
    spec = json.loads(Slices(study).pretrain("kang_ctrl", "random_mask", 0))
    assert spec["protocol"] == "published"
    assert spec["params"]["output"] == "sigmoid"
    assert json.loads(Slices(study).pretrain("kang_ctrl", "light_mask", 0))["params"]["rate"] == 0.1
    assert spec["network"]["activation"] == "selu"  # trained with one, read with the other
    assert json.loads(Slices(study).frozen("kang_ctrl", "random_mask", 0))["network"] == {
        **spec["network"], "activation": "relu", "dropout": 0.0,
    }  # fmt: skip
    tuned = json.loads(Slices(study).finetune(FineTune("pbmc3k", "kang_ctrl", "random_mask", 0)))
    scratch = json.loads(Slices(study).finetune(FineTune("pbmc3k", "none", "scratch", 0)))
    assert tuned["network"] == {**scratch["network"], "dropout": 0.0}
    assert scratch["network"]["activation"] == "relu"


def test_deviations_come_one_at_a_time(data):
    plain = Study(from_mapping(data))
    data["deviations"] = {"corpora": ["kang_ctrl"]}
    study = Study(from_mapping(data))
    new = {model.method for model in study.models()} - {model.method for model in plain.models()}
    assert new == {"random_mask-sigmoid", "random_mask-average_all", "random_mask-rescale"}
    frozen = {model.method for model in study.evaluated()}
    assert frozen - {model.method for model in study.models()} == {"random_mask-relu"}
    assert study.weights("random_mask-relu") == "random_mask"
    tuned = {job.method for job in study.fine_tunes() if job.target == "pbmc3k"}
    assert tuned >= {"random_mask-relu", "random_mask-no_dropout"}
    base, other = (
        json.loads(Slices(study).pretrain("kang_ctrl", name, 0))
        for name in ("random_mask", "random_mask-sigmoid")
    )
    tuned = json.loads(
        Slices(study).finetune(FineTune("pbmc3k", "kang_ctrl", "random_mask-relu", 0))
    )
    assert (
        other["protocol"] == tuned["protocol"] == "mixed"
    )  # so that no contrast takes it for a method
    changed = {key for key in base["params"] if base["params"][key] != other["params"][key]}
    assert changed == {"output"}
    assert len(study.splits_of("kang_ctrl", "random_mask-relu")) > 1
    data["deviations"] |= {
        "seeds": 2,
        "targets": ["pbmc3k"],
    }  # the first ones, so that each has a partner
    for jobs in (Study(from_mapping(data)).evaluated(), Study(from_mapping(data)).fine_tunes()):
        seeds = {job.seed for job in jobs if job.method == "random_mask-relu"}
        assert seeds == {0, 1}
        assert {job.seed for job in jobs if job.method == "random_mask"} == {0, 1, 2}
    fewer = Study(from_mapping(data))
    assert fewer.splits_of("kang_ctrl", "random_mask-relu") == ["pbmc3k"]
    assert fewer.splits_of("kang_ctrl", "random_mask") == study.splits_of("kang_ctrl")
    tuned_on = {job.target for job in fewer.fine_tunes() if job.method == "random_mask-relu"}
    assert tuned_on == {"pbmc3k"}
    assert Slices(plain).pretrain("kang_ctrl", "random_mask", 0) == json.dumps(
        base, separators=(",", ":")
    )


def test_deviations_of_a_published_study_are_all_but_one(data):
    data |= {"protocol": "published", "deviations": {"corpora": ["kang_ctrl"]}}
    study = Study(from_mapping(data))
    own = {method["name"] for method in data["methods"]}
    new = {model.method for model in study.models()} - own
    names = ("sigmoid", "average_all", "rescale")
    assert new == {f"random_mask-without-{name}" for name in names}
    assert study.weights("random_mask-without-relu") == "random_mask"
    tuned = {job.method for job in study.fine_tunes() if job.target == "pbmc3k"}
    assert tuned >= {"random_mask-without-relu", "random_mask-without-no_dropout"}
    base, other = (
        json.loads(Slices(study).pretrain("kang_ctrl", name, 0))
        for name in ("random_mask", "random_mask-without-sigmoid")
    )
    assert (base["protocol"], other["protocol"]) == ("published", "mixed")
    changed = {key for key in base["params"] if base["params"][key] != other["params"][key]}
    assert changed == {"output"} and other["params"]["output"] == "linear"
    network = json.loads(Slices(study).frozen("kang_ctrl", "random_mask-without-relu", 0))[
        "network"
    ]
    assert (network["activation"], network["dropout"]) == ("selu", 0.0)


def tuned(data, **changes):
    """The study with autoencoders fine-tuned to reconstruct."""
    data["reconstruction"] = {"draws": 2, "fine_tune": {"methods": ["random_mask"], **changes}}
    return Study(from_mapping(data))


def test_autoencoders_go_on_learning_once_a_model_and_scratch_beside_them(data):
    data["pretraining"]["seeds"] = [3, 5]
    study = tuned(data, steps=7)
    jobs = autoencoders.jobs(study)
    assert jobs == [
        ("none", "scratch", 3), ("none", "scratch", 5),
        ("kang_ctrl", "random_mask", 3), ("kang_ctrl", "random_mask", 5),
        ("baron_pool", "random_mask", 3), ("baron_pool", "random_mask", 5),
    ]  # fmt: skip
    assert autoencoders.targets(study, "kang_ctrl") == ["pbmc3k", "kang_stim"]
    assert autoencoders.targets(study, "baron_pool") == ["baron"]
    assert autoencoders.targets(study, "none") == ["pbmc3k", "kang_stim", "baron"]
    scratch, own = (json.loads(Slices(study).reconstruct(job)) for job in (jobs[0], jobs[2]))
    assert scratch["heads"] == [{"loss": "mse", "output": "linear"}]
    assert own["heads"] == []
    for name in ("thinning", "tuning", "network", "clip"):
        assert scratch[name] == own[name]
    assert own["tuning"]["steps"] == 7
    assert json.loads(Slices(study).frozen(*jobs[2]))["reconstruction"] == own["thinning"]
    off = Study(from_mapping(data | {"reconstruction": None}))
    assert autoencoders.jobs(off) == autoencoders.heads(off) == []


def test_scratch_has_every_head_of_the_methods_that_are_fine_tuned(data):
    data["methods"][1]["params"]["loss"] = "nb"
    heads = autoencoders.heads(tuned(data, methods=["light_mask", "random_mask"]))
    assert heads == [{"loss": "nb", "output": "linear"}, {"loss": "mse", "output": "linear"}]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"methods": ["random"]}, "unknown 'random'"),
        ({"methods": ["random_mask", "random_mask"]}, "'random_mask' stands twice"),
        ({"methods": ["byol"]}, "byol has no decoder; name masked autoencoders"),
        ({"draws": 3}, r"fine_tune.draws: 3 is outside \[1, 2\]"),
    ],
)
def test_what_cannot_be_fine_tuned_to_reconstruct_is_refused(data, changes, says):
    data["methods"].append({"name": "byol"})
    with pytest.raises(ConfigError, match=says):
        tuned(data, **changes)
