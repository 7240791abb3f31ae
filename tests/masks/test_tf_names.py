"""Factors behind set names: each family of names, and all 1,115 C3:TFT sets."""

import csv
import gzip
from pathlib import Path

import pytest

from selfcell.masks import tf_names
from selfcell.masks.gmt import read_gmt
from selfcell.masks.tf_names import ALIASES, SPELLINGS, UNRESOLVED, factors, resolve

TABLE = (Path(__file__).parent / "c3_tft_factors.tsv").read_text().splitlines()
EXPECTED = {name: tuple(row) for name, *row in (line.split() for line in TABLE)}
NAMES = list(EXPECTED)


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
        ("TCF4_Q5", ("TCF7L2",)),  # TRANSFAC's T-cell factor 4
        ("TCF4_TARGET_GENES", ("TCF4",)),  # HGNC's transcription factor 4
        ("TCF4", ("TCF4",)),
        ("H1_6_TARGET_GENES", ("H1-6",)),
        ("ap1_Q4", ()),
        ("TATAAA_01", ("TATAAA",)),  # letters of a motif, but nothing after them: the factor
        ("SMAD_DR4_Q3", ("SMAD2", "SMAD3", "SMAD4")),  # four letters are no motif
        ("some other name", ()),
    ],
)
def test_factors_of_a_name(name: str, symbols: tuple[str, ...]) -> None:
    assert factors(name) == symbols


def test_every_c3_tft_set_has_the_factors_reviewed() -> None:
    """c3_tft_factors.tsv: all set names of the release, with the symbols that were looked up."""
    assert {name: factors(name) for name in NAMES} == EXPECTED


def test_gtrd_and_unknown_names_follow_their_rule() -> None:
    """Independent of the table: GTRD's names are symbols but for eight; UNKNOWN is none."""
    gtrd = [name for name in NAMES if name.endswith("_TARGET_GENES")]
    odd = [n for n in gtrd if factors(n) != (n.removesuffix("_TARGET_GENES"),)]
    assert len(gtrd) == 505
    no_factor = {name for name in odd if not factors(name)}
    assert {n.removesuffix("_TARGET_GENES") for n in odd if n not in no_factor} == set(SPELLINGS)
    assert len(no_factor) == 3  # an immunoglobulin, and two names of UniProt
    assert all(factors(name) == () for name in NAMES if name.endswith("_UNKNOWN"))


def test_every_c3_tft_set_is_accounted_for() -> None:
    assert len(NAMES) == 1115
    resolution = resolve(dict.fromkeys(NAMES, ("G",)))
    assert resolution.resolved == 982
    assert len(resolution.unnamed) == 115
    assert len(resolution.unresolved) == 18
    assert len(resolution.targets) == 701
    assert str(resolution).startswith("982 of 1115 sets resolve to 701 factors; 115 are motifs")


@pytest.mark.parametrize("table", ["ALIASES", "SPELLINGS"])
def test_every_entry_of_the_tables_decides_a_set(
    monkeypatch: pytest.MonkeyPatch, table: str
) -> None:
    """Without it, or with another symbol in it, some set resolves to something else."""
    entries = getattr(tf_names, table)
    for name in entries:
        without = {key: value for key, value in entries.items() if key != name}
        for changed in (entries | {name: ("OTHER",)}, without):
            monkeypatch.setattr(tf_names, table, changed)
            assert any(factors(full) != EXPECTED[full] for full in NAMES), name


def test_every_exception_decides_a_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in UNRESOLVED:
        monkeypatch.setattr(tf_names, "UNRESOLVED", UNRESOLVED - {name})
        assert any(factors(full) != EXPECTED[full] for full in NAMES), name
    assert not UNRESOLVED & {*ALIASES, *SPELLINGS}


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
