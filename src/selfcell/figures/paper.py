"""The paper's figures one by one: what is drawn of each here, and what its data would take.

Source: Richter et al. 2024, figures and supplement.
"""

from __future__ import annotations

from typing import NamedTuple

NEEDS = "needs configs/paper.yaml"
"""How a figure is marked whose data are those of the paper at full scale."""
UNBUILT = "not built"
"""How a figure is marked that no configuration draws."""


class Entry(NamedTuple):
    """A figure of the paper.

    Attributes:
        what: it shows. drawn: names of the figures here that show it of this study's data.
        rest: what is not drawn, and why; "" is nothing.
    """

    what: str
    drawn: tuple[str, ...]
    rest: str = ""


PAPER: tuple[Entry, ...] = (
    Entry("Schematic of pretext tasks, data and uses", (), f"{UNBUILT}: a drawing"),
    Entry(
        "Annotation of the corpus: every method, micro- and macro-F1",
        ("arms", "label_efficiency", "pretexts"),
        f"scTab: {NEEDS}; Geneformer: {UNBUILT}",
    ),
    Entry(
        "Annotation of smaller data: random, frozen, supervised, pre-trained",
        ("arms", "contrasts"),
        f"lung atlas, PBMC after SARS-CoV-2, Tabula Sapiens: {NEEDS}",
    ),
    Entry(
        "Annotation of unseen data",
        ("arms", "gain_map", "unseen"),
        f"five data sets published later: {NEEDS}; here an unseen condition",
    ),
    Entry("Gain of each cell type against its number of cells", ("per_type",)),
    Entry("Confusion matrices, supervised and pre-trained, and their difference", ("confusion",)),
    Entry(
        "Maps of frozen codes: masks, supervised, PCA",
        ("embedding",),
        f"200,000 cells of 40 types: {NEEDS}; maps of other arms than the masked autoencoder:"
        f" {UNBUILT}",
    ),
    Entry(
        "Reconstruction: explained variance and squared error",
        ("reconstruction",),
        f"scTab: {NEEDS}",
    ),
    Entry(
        "RNA to protein: correlations and squared error",
        ("protein",),
        f"maps and scatter plots of single proteins: {UNBUILT}",
    ),
    Entry("RNA to open chromatin", (), f"{UNBUILT}: no cells with both within reach"),
    Entry(
        "Integration of data sets: scIB scores",
        ("integration",),
        f"lung and blood atlases: {NEEDS}; maps: {UNBUILT}",
    ),
    Entry(
        "Supplement: donors, cells and labels in number",
        ("label_efficiency", "sweeps", "gain_map"),
        f"corpora from 0.001 % to all of scTab: {NEEDS}",
    ),
    Entry(
        "Supplement: masking rate, programme rate, number of genes",
        ("sweeps",),
        f"every rate: {NEEDS}; the number of genes is one a study",
    ),
    Entry(
        "Supplement: augmentations of joint embeddings",
        ("collapse", "sweeps"),
        f"strengths of the views: {NEEDS}",
    ),
    Entry("Supplement: frequencies of types, data sets in numbers", ("qc", "per_type")),
)
