"""The shipped studies hold what the protocol asks of them."""

from __future__ import annotations

from selfcell.config import REGISTRY, load_config
from selfcell.data.registry import Registry
from selfcell.methods import METHODS
from tests.tree import REPO

# Pretext tasks that the study is about, and their controls; a method more need not stand there.
ASKED = {
    *("random_mask", "gene_programme", "gp_to_gp", "gp_to_tf"),
    *("byol", "simsiam", "barlow_twins", "simclr", "vicreg"),
    *("gene_programme_permuted", "random_mask_matched"),
}


def test_the_default_study_shows_every_method_at_the_papers_widths() -> None:
    config = load_config(REPO / "config.yaml")
    tasks = [entry.task for entry in config.methods]
    assert ASKED <= set(tasks) <= set(METHODS)
    assert tasks.count("gene_programme_permuted") >= 5
    assert config.network.hidden == [512, 512, 256, 256, 64]
    assert len(config.pretraining.seeds) == 3 and config.labels.draws == 10


def test_the_blood_study_takes_all_real_data_and_five_seeds() -> None:
    config = load_config(REPO / "configs/blood.yaml")
    assert len(config.pretraining.seeds) == 5 and config.labels.draws == 20
    assert {entry.task for entry in config.methods} >= ASKED
    named = {entry.name for entry in config.datasets}
    # The two samples and the donorless file are cells of sets that are in it.
    # pbmc1k_gated holds the cells of pbmc1k_cite, labelled by another instrument.
    parts = {"kang", "pbmc10k_protein_200", "pbmc5k_protein_200", "pbmc1k_cite"}
    parts.add("sctab")  # 22 million cells: no two cores
    assert named == set(Registry.load(REGISTRY).datasets) - parts
    assert config.deviations.corpora == ["kang_ctrl"]
