"""Transcription factors behind the names of MSigDB's C3:TFT gene sets.

Two families of names. GTRD sets carry the gene symbol: `ZNF513_TARGET_GENES`. The legacy sets
carry TRANSFAC's name of a factor, after the motif where it is known: `AP1_Q4_01`,
`CACGTG_MYC_Q2`; a motif that no factor is known for ends in `UNKNOWN`. The table below maps
TRANSFAC's names to HGNC symbols; a complex gives each of its DNA-binding members.

Source: TRANSFAC's factor synonyms as they stand in HGNC's alias lists.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

_ALIASES = """
AFP1 ZFHX3 | AHRARNT AHR ARNT | ALPHACP1 NFYA NFYB NFYC | AMEF2 MEF2A | AML RUNX1 RUNX2 RUNX3
AML1 RUNX1 | AP1 FOS JUN | AP1FJ FOS JUN | AP2 TFAP2A TFAP2B TFAP2C | AP2ALPHA TFAP2A
AP2GAMMA TFAP2C | AP2REP KLF12 | AP4 TFAP4 | AREB6 ZEB1 | ARP1 NR2F2 | ATF ATF1 ATF2
BRN2 POU3F2 | CART1 ALX1 | CDC5 CDC5L | CDP CUX1 | CDPCR1 CUX1 | CDPCR3 CUX1 | CDPCR3HD CUX1
CEBP CEBPA CEBPB | CEBPDELTA CEBPD | CEBPGAMMA CEBPG | CETS1P54 ETS1 | CHOP DDIT3 | CHX10 VSX2
CIZ ZNF384 | CMYB MYB | COREBINDINGFACTOR RUNX1 RUNX2 RUNX3 | COUP NR2F1 NR2F2 | CP2 TFCP2
CREB CREB1 | CREBP1 ATF2 | CREBP1CJUN ATF2 JUN | CREL REL | E12 TCF3 | E2A TCF3 | E47 TCF3
E2F E2F1 E2F2 E2F3 E2F4 E2F5 | E2F1DP1 E2F1 TFDP1 | E2F1DP1RB E2F1 TFDP1 | E2F1DP2 E2F1 TFDP2
E2F4DP1 E2F4 TFDP1 | E2F4DP2 E2F4 TFDP2 | E4BP4 NFIL3 | EFC RFX1 | EGR EGR1 EGR2 EGR3 EGR4
ER ESR1 ESR2 | ERR1 ESRRA | ETS ETS1 ETS2 | EVI1 MECOM | FAC1 BPTF | FREAC2 FOXF2
FREAC3 FOXC1 | FREAC4 FOXD1 | FREAC7 FOXL1 | FXR NR1H4 | GABP GABPA GABPB1
GATA GATA1 GATA2 GATA3 | GCM GCM1 | GCNF NR6A1 | GR NR3C1 | GRE NR3C1 | HAND1E47 HAND1 TCF3
HEB TCF12 | HEN1 NHLH1 | HFH1 FOXQ1 | HFH3 FOXI1 | HFH4 FOXJ1 | HFH8 FOXF1 | HIF1 HIF1A
HMEF2 MEF2A | HMGIY HMGA1 | HNF1 HNF1A HNF1B | HNF3 FOXA1 FOXA2 FOXA3 | HNF3ALPHA FOXA1
HNF3B FOXA2 | HNF4 HNF4A | HNF4ALPHA HNF4A | HNF6 ONECUT1 | HOX13 HOXA5 | HSF HSF1 HSF2
HTF XBP1 | ICSBP IRF8 | IK1 IKZF1 | IK2 IKZF1 | IK3 IKZF1 | IPF1 PDX1 | IRF IRF1 IRF2
ISRE STAT1 STAT2 IRF9 | LBP1 UBP1 | LMO2COM LMO2 | LXR NR1H2 NR1H3 | LYF1 IKZF1 | MAZR PATZ1
MEF2 MEF2A | MEIS1AHOXA9 MEIS1 HOXA9 | MEIS1BHOXA9 MEIS1 HOXA9 | MIF1 RFX1 | MMEF2 MEF2A
MYCMAX MYC MAX | MYOD MYOD1 | MYOGENIN MYOG | MYOGNF1 MYOG NFIA NFIB NFIC NFIX | NCX TLX2
NERF ELF2 | NF1 NFIA NFIB NFIC NFIX | NFAT NFATC1 NFATC2 NFATC3 NFATC4 | NFKAPPAB NFKB1 RELA
NFKAPPAB65 RELA | NFKB NFKB1 RELA | NFMUE1 YY1 | NFY NFYA NFYB NFYC | NGFIC EGR4
NKX22 NKX2-2 | NKX25 NKX2-5 | NKX3A NKX3-1 | NKX61 NKX6-1 | NKX62 NKX6-2 | NMYC MYCN
NRF2 NFE2L2 | NRF2_01 GABPA | NRSF REST | OCT POU2F1 POU2F2 | OCT1 POU2F1 | OLF1 EBF1
OSF2 RUNX2 | P300 EP300 | P53 TP53 | PEA3 ETV4 | PIT1 POU1F1 | PPAR PPARA PPARD PPARG | PR PGR
PU1 SPI1 | PXR NR1I2 | ROAZ ZNF423 | RORA1 RORA | RORA2 RORA | RP58 ZBTB18 | RSRFC4 MEF2A
S8 PRRX2 | SF1 NR5A1 | SMAD SMAD2 SMAD3 SMAD4 | SREBP SREBF1 SREBF2 | SREBP1 SREBF1
STAT STAT1 STAT3 | T3R THRA THRB | TAL1ALPHAE47 TAL1 TCF3 | TAL1BETAE47 TAL1 TCF3
TAL1BETAITF2 TAL1 TCF4 | TATA TBP | TAXCREB CREB1 | TCF11 NFE2L1 | TCF11MAFG NFE2L1 MAFG
TCF4 TCF7L2 | TEF1 TEAD1 | TEL2 ETV7 | TFIIA GTF2A1 | TFIII GTF2I | TGIF TGIF1 | TITF1 NKX2-1
TST1 POU3F1 | TTF1 NKX2-1 | USF USF1 USF2 | WHN FOXN1 | ZF5 ZBTB14 | ZID ZBTB6
"""

# How GTRD spells what is no plain symbol. Its other names are symbols, whatever TRANSFAC means by
# them: TRANSFAC's TCF4 is TCF7L2, GTRD's is TCF4.
_SPELLINGS = """
H1_6 H1-6 | NKX2_2 NKX2-2 | NKX2_3 NKX2-3 | NKX2_5 NKX2-5 | NKX2_8 NKX2-8 | NKX6_1 NKX6-1
SMN1_SMN2 SMN1 SMN2 | SS18_SSX1_FUSION_UNIPROT_Q8IZH1_UNREVIEWED SS18 SSX1
"""

# TRANSFAC names that stand for a DNA element, for a family without a stated member, or for a
# protein never tied to one gene.
UNRESOLVED = frozenset(
    """AP3 CACBINDINGPROTEIN CACCCBINDINGFACTOR COMP1 DR1 DR3 DR4 ETF FOX HP1SITEFACTOR LFA1 PAX
    PTF1BETA SEF1 TCF1P""".split()
)

_LEGACY = re.compile(
    r"^(?:[ACGTRYSWKMBDHVN]{5,}_)?"  # the motif, where a factor follows it
    r"(?P<factor>[A-Z0-9]+?)"
    r"(?:_(?:DR\d|IR\d|DECAMER))?"  # the element's spacing
    r"_(?:Q\d|\d\d|B\d?|C)(?:_\d\d|_B)?$"  # TRANSFAC's quality or version
)
_SYMBOL = re.compile(r"^[A-Z][A-Z0-9]*(?:-[A-Z0-9]+)*$")


def _table(text: str) -> dict[str, tuple[str, ...]]:
    entries = (entry.split() for line in text.splitlines() for entry in line.split("|"))
    return {name: tuple(symbols) for name, *symbols in (entry for entry in entries if entry)}


ALIASES: dict[str, tuple[str, ...]] = _table(_ALIASES)
SPELLINGS: dict[str, tuple[str, ...]] = _table(_SPELLINGS)


def factors(set_name: str) -> tuple[str, ...]:
    """HGNC symbols of the factors a C3:TFT set is named for; none if the name gives none."""
    if match := _LEGACY.match(set_name):
        factor, known = match["factor"], ALIASES
        without_motif = set_name[match.start("factor") :]
        if without_motif in known:  # one version of a name that means another protein
            factor = without_motif
    else:  # GTRD's, or of a gene-set file of the user's own, named by symbol
        factor, known = set_name.removesuffix("_TARGET_GENES"), SPELLINGS
    if factor in known:
        return known[factor]
    return (factor,) if factor not in UNRESOLVED and _SYMBOL.match(factor) else ()


@dataclass(frozen=True)
class Resolution:
    """Targets by factor, and what became of the set names.

    Attributes:
        targets: genes by factor symbol, the union over the factor's sets, sorted.
        resolved: number of sets with at least one factor.
        unnamed: sets of motifs that no factor is known for.
        unresolved: other sets without a factor.
    """

    targets: Mapping[str, Sequence[str]]
    resolved: int
    unnamed: tuple[str, ...]
    unresolved: tuple[str, ...]

    def __str__(self) -> str:
        total = self.resolved + len(self.unnamed) + len(self.unresolved)
        return (
            f"{self.resolved} of {total} sets resolve to {len(self.targets)} factors; "
            f"{len(self.unnamed)} are motifs without a known factor, "
            f"{len(self.unresolved)} name an element, a family or no gene"
        )


def resolve(sets: Mapping[str, Iterable[str]]) -> Resolution:
    """Turn C3:TFT gene sets into the targets of each factor."""
    targets: dict[str, set[str]] = {}
    unnamed: list[str] = []
    unresolved: list[str] = []
    resolved = 0
    for name, genes in sets.items():
        symbols = factors(name)
        resolved += bool(symbols)
        for symbol in symbols:
            targets.setdefault(symbol, set()).update(genes)
        if not symbols:
            (unnamed if name.endswith("_UNKNOWN") else unresolved).append(name)
    ordered = {symbol: sorted(targets[symbol]) for symbol in sorted(targets)}
    return Resolution(ordered, resolved, tuple(unnamed), tuple(unresolved))
