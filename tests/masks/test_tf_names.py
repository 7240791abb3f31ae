"""Factors behind set names: each family of names, and all 1,115 C3:TFT sets."""

import csv
import gzip
from pathlib import Path

import pytest

from selfcell.masks.gmt import read_gmt
from selfcell.masks.tf_names import ALIASES, UNRESOLVED, factors, resolve

NAMES = (Path(__file__).parent / "c3_tft_names.txt").read_text().split()


@pytest.mark.parametrize(
    ("name", "symbols"),
    [
        ("ZNF513_TARGET_GENES", ("ZNF513",)),
        ("NKX2_5_TARGET_GENES", ("NKX2-5",)),
        ("AP1_Q4_01", ("FOS", "JUN")),
        ("AP1_C", ("FOS", "JUN")),
        ("GATA1_01", ("GATA1",)),
        ("MYC_Q2", ("MYC",)),
        ("NFKB_Q6", ("NFKB1", "RELA")),
        ("CACGTG_MYC_Q2", ("MYC",)),
        ("TGANTCA_AP1_C", ("FOS", "JUN")),
        ("CATTGTYY_SOX9_B1", ("SOX9",)),
        ("TATAAA_TATA_01", ("TBP",)),
        ("GATTGGY_NFY_Q6_01", ("NFYA", "NFYB", "NFYC")),
        ("HNF4_01_B", ("HNF4A",)),
        ("HNF4_DR1_Q3", ("HNF4A",)),
        ("FXR_IR1_Q6", ("NR1H4",)),
        ("P53_DECAMER_Q2", ("TP53",)),
        ("PU1_Q6", ("SPI1",)),
        ("NRF2_01", ("GABPA",)),  # nuclear respiratory factor 2
        ("NRF2_Q4", ("NFE2L2",)),  # NF-E2-related factor 2
        ("AAANWWTGC_UNKNOWN", ()),
        ("TGACATY_UNKNOWN", ()),
        ("DR1_Q3", ()),
        ("STAT1", ("STAT1",)),  # a file of the user's own
        ("NKX2-1", ("NKX2-1",)),
        ("some other name", ()),
    ],
)
def test_factors_of_a_name(name: str, symbols: tuple[str, ...]) -> None:
    assert factors(name) == symbols


def test_every_c3_tft_set_is_accounted_for() -> None:
    assert len(NAMES) == 1115
    resolution = resolve(dict.fromkeys(NAMES, ("G",)))
    assert resolution.resolved == 982
    assert len(resolution.unnamed) == 115
    assert len(resolution.unresolved) == 18
    assert len(resolution.targets) == 701
    assert str(resolution).startswith("982 of 1115 sets resolve to 701 factors; 115 are motifs")


def test_tables_hold_nothing_superfluous() -> None:
    """Each alias and each exception is the factor of some set."""
    used = {name for name in ALIASES if any(name in full for full in NAMES)}
    assert used == set(ALIASES)
    assert all(any(name in full for full in NAMES) for name in UNRESOLVED)
    assert not UNRESOLVED & set(ALIASES)


def test_targets_are_the_union_over_a_factors_sets() -> None:
    resolution = resolve({"MYC_Q2": ("B", "A"), "MYCMAX_01": ("C", "A"), "DR1_Q3": ("Z",)})
    assert dict(resolution.targets) == {"MAX": ["A", "C"], "MYC": ["A", "B", "C"]}
    assert resolution.unresolved == ("DR1_Q3",)


@pytest.mark.slow
def test_real_gene_sets_and_gene_table(repo: Path) -> None:
    """The file itself holds these names, and its factors are protein-coding genes."""
    from selfcell.data.fetch import cache_dir, mirror_list, obtain
    from selfcell.data.registry import Registry

    registry = Registry.load(repo / "resources" / "datasets.yaml")
    where = cache_dir(), mirror_list()
    sets = read_gmt(obtain(registry.genesets["msigdb_tft"].source, *where))
    assert list(sets) == NAMES
    with gzip.open(obtain(registry.references["genes"].source, *where), "rt") as file:
        coding = {row[1] for row in csv.reader(file) if row[-1] == "protein_coding"}
    odd = {symbol for symbol in resolve(sets).targets if symbol not in coding}
    assert odd == {"ZNF781", "ZSCAN5DP"}  # two pseudogenes that GTRD lists
