"""The jobs of a configuration: what runs, and what is refused."""

import json

import pytest
import yaml

from selfcell.config import from_mapping
from selfcell.errors import ConfigError
from selfcell.slices import Slices
from selfcell.study import FineTune, Model, Study
from tests import two_methods
from tests.tree import REPO


@pytest.fixture
def data():
    return two_methods.configuration()


def test_models_cross_corpora_methods_and_seeds(data):
    models = Study(from_mapping(data)).models()
    assert len(models) == len(set(models)) == 3 * (2 + 1 + 1 + 1 + 2)
    assert Model("kang_ctrl", "light_mask", 2) in models
    assert Model("baron_pool", "light_mask", 0) not in models


def test_scratch_runs_once_a_target_and_seed(data):
    jobs = Study(from_mapping(data)).fine_tunes()
    assert FineTune("pbmc3k", "none", "scratch", 0) in jobs
    assert FineTune("baron", "baron_pool", "random_mask", 1) in jobs
    assert not [job for job in jobs if job.target == "baron" and job.corpus == "kang_ctrl"]
    assert len(jobs) == len(set(jobs)) == 3 * 3 * 4


def test_test_cells_stay_out_of_every_corpus_of_their_data_set(data):
    study = Study(from_mapping(data))
    assert study.excluding("kang_ctrl") == ["kang_stim"]
    assert study.excluding("baron_pool") == ["baron"]


def test_parts_of_a_corpus_are_no_corpora_of_their_own_to_baselines(data):
    study = Study(from_mapping(data))
    assert {"kang_ctrl_600", "kang_ctrl_2000"} < set(study.targets["pbmc3k"].corpora)
    assert study.whole_corpora("pbmc3k") == ["kang_ctrl", "pbmc3k_pool", "kang_ctrl_shuffled"]


def test_tuning_is_needed(data, tmp_path):
    data["fine_tuning"]["tuning"] = str(tmp_path / "none.yaml")
    with pytest.raises(ConfigError, match=r"no file .*none\.yaml; .*make tune"):
        Study(from_mapping(data))
    data["fine_tuning"]["tuning"] = ""  # a study that tunes has none yet
    study = Study(from_mapping(data))
    assert Slices(study).tune(FineTune("pbmc3k", "none", "scratch", 0))
    with pytest.raises(ConfigError, match="make tune"):
        Slices(study).finetune(FineTune("pbmc3k", "none", "scratch", 0))


def test_unknown_registry_names_are_refused(data):
    data["datasets"].append({"name": "pbmc4k"})
    with pytest.raises(ConfigError, match="pbmc3k"):
        Study(from_mapping(data))


def test_deviations_name_corpora(data):
    data |= {"deviations": {"corpora": ["kang"]}}
    with pytest.raises(ConfigError, match="did you mean 'kang_ctrl'"):
        from_mapping(data)
    data |= {"deviations": {"corpora": ["kang_ctrl"], "targets": ["pbmc"]}}
    with pytest.raises(ConfigError, match="did you mean 'pbmc3k'"):
        from_mapping(data)


def test_own_gene_sets_go_by_their_name(data):
    own = {"name": "mine", "method": "gene_programme", "params": {"gene_sets": "sets"}}
    data["methods"].append(own)
    with pytest.raises(ConfigError, match="unknown reference 'sets'"):
        Study(from_mapping(data))
    data["gene_sets"] = [{"name": "sets", "path": "my_sets.gmt"}]
    assert Study(from_mapping(data)).gene_sets("mine") == ["sets"]


def protein(data, **target):
    own = {
        "name": "p", "train": {"dataset": "pbmc3k"}, "test": {"dataset": "kang"},
        "corpora": ["kang_ctrl"], "fine_tune": ["kang_ctrl"],
    }  # fmt: skip
    return data | {"protein": {"targets": [own | target]}}


def test_protein_jobs_are_rivals_scratch_and_each_tuned_model(data):
    jobs = Study(from_mapping(protein(data))).protein_jobs()
    assert jobs[0] == FineTune("p", "none", "rivals", 0)
    arms = {(job.corpus, job.method) for job in jobs[1:]}
    assert arms == {("none", "scratch"), ("kang_ctrl", "random_mask")}
    assert len(jobs) == len(set(jobs)) == 1 + 2 * 3


def test_test_cells_of_a_protein_target_stay_out_of_the_corpora_it_judges(data):
    study = Study(from_mapping(protein(data)))
    assert "p" in study.excluding("kang_ctrl")
    assert "p" not in study.excluding("baron_pool")
    assert "p" in Slices(study).corpus("kang_ctrl").targets
    assert study.stores_of(["p"]) == ["kang", "pbmc3k"]
    assert study.every == [*study.targets, "p"]


def test_the_other_tasks_reach_their_own_jobs_and_are_off_by_default(data):
    study = Study(from_mapping(data | {"reconstruction": None, "protein": None}))
    off = json.loads(Slices(study).frozen("kang_ctrl", "random_mask", 0))
    assert off["reconstruction"] is off["protein"] is None
    assert study.protein_jobs() == []
    assert study.programmes() == []
    asked = {"max_cells": 50, "draws": 3, "programmes": "msigdb_hallmark"}
    study = Study(from_mapping(protein(data | {"reconstruction": asked})))
    on = json.loads(Slices(study).frozen("kang_ctrl", "random_mask", 0))
    assert on["reconstruction"] == {"max_cells": 50, "draws": 3}
    assert on["protein"] == "clr"
    other = json.loads(Slices(study).frozen("baron_pool", "random_mask", 0))
    assert other["protein"] is None
    assert json.loads(Slices(study).baseline("baron"))["reconstruction"] == on["reconstruction"]
    # Which gene sets it is reported by concerns no run.
    asked["programmes"] = ""
    same = Study(from_mapping(protein(data | {"reconstruction": asked})))
    assert json.loads(Slices(same).frozen("kang_ctrl", "random_mask", 0)) == on


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"train": {"dataset": "nowhere"}}, "unknown 'nowhere'"),
        ({"corpora": ["nothing"]}, "unknown 'nothing'"),
        ({"fine_tune": ["baron_pool"]}, "unknown 'baron_pool'"),
        ({"name": "baron"}, "'baron' stands twice"),
    ],
)
def test_a_protein_target_that_refers_to_nothing_is_refused(data, changes, says):
    with pytest.raises(ConfigError, match=says):
        from_mapping(protein(data, **changes))


def test_reconstruction_without_baselines_is_refused(data):
    with pytest.raises(ConfigError, match="its rivals run beside"):
        from_mapping(data | {"reconstruction": {}, "baselines": []})


def test_a_donor_column_goes_before_the_registrys_one_donor(data):
    assert Study(from_mapping(data)).datasets["pbmc3k"].one_donor
    data["datasets"][1]["donor"] = "who"
    spec = Study(from_mapping(data)).datasets["pbmc3k"]
    assert (spec.donor, spec.one_donor) == ("who", False)


def test_a_target_needs_labels(data):
    data["datasets"][1] = {"name": "mine", "path": "mine.h5ad"}
    data["targets"][0]["dataset"] = "mine"
    data["corpora"] = [c for c in data["corpora"] if c["name"] != "pbmc3k_pool"]
    data["targets"][0]["corpora"] = ["kang_ctrl"]
    with pytest.raises(
        ConfigError, match="targets.pbmc3k: data set mine has no `label:`; .*set `l"
    ):
        Study(from_mapping(data))


def test_arms_are_tuned_alike_each_by_its_own_grid(data, tmp_path):
    table = {"scratch": {"few": {"lr": 1e-3, "steps": 10}, "all": {"lr": 2e-3, "steps": 20}}}
    table["pretrained"] = {"few": {"lr": 3e-3, "steps": 30}, "all": {"lr": 4e-3, "steps": 40}}
    path = tmp_path / "tuning.yaml"
    path.write_text(yaml.safe_dump({"chosen": table}))
    data["fine_tuning"]["tuning"] = str(path)
    study = Study(from_mapping(data))
    assert study.tuned("scratch", "10") == study.tuned("scratch_shallow", "3") == (1e-3, 10)
    assert study.tuned("scratch", "all") == (2e-3, 20)
    assert study.tuned("random_mask", "10") == (3e-3, 30)
    assert study.tuned("random_mask", "all") == (4e-3, 40)


def test_the_default_corpora_are_as_designed():
    config = Study(from_mapping(yaml.safe_load((REPO / "config.yaml").read_text()))).config
    corpora = {corpus.name: corpus for corpus in config.corpora}
    for name in ("kang_ctrl", "kang_ctrl_shuffled"):
        assert [source.where for source in corpora[name].sources] == [{"condition": ("CTRL",)}]
    controls = {target.name: target.negative_control for target in config.targets}
    assert controls == {"pbmc3k": [], "kang_stim": [], "baron": ["kang_ctrl"]}
