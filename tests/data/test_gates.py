"""Types by gates on surface proteins: made-up ones, and the real file where a mirror has it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from selfcell.data import gates
from selfcell.data.fetch import mirror_list, obtain
from selfcell.data.joins import JOINS
from selfcell.data.readers import read
from selfcell.data.registry import Registry
from selfcell.errors import DataError
from selfcell.keys import generator
from tests.tree import REPO

HIGH, LOW = 400.0, 20.0
PROFILES = {
    "CD4 T": ("CD3", "CD4"),
    "CD8 T": ("CD3", "CD8"),
    "B": ("CD19",),
    "CD14 Mono": ("CD11c", "CD14"),
    "CD16 Mono": ("CD11c", "CD16"),
    "NK": ("CD16",),
    "": ("CD3", "CD14"),  # a T cell that sticks to a monocyte
}


def proteins(n: int = 40) -> tuple[pd.DataFrame, np.ndarray]:
    """Counts of cells of every profile, each stained to its own depth, and the gate they are in."""
    rng = generator("gates")
    label = np.repeat(list(PROFILES), n)
    rate = pd.DataFrame(LOW, index=range(len(label)), columns=[*gates.PROTEINS, "CD45"])
    for row, name in enumerate(label):
        rate.loc[row, list(PROFILES[name])] = HIGH
    rate = rate.mul(rng.uniform(0.5, 2.0, size=len(rate)), axis=0)
    counts = pd.DataFrame(rng.poisson(rate), columns=rate.columns)
    counts["IgG1_control"] = rng.poisson(1.0, size=len(rate))
    return counts, label


def test_every_profile_is_in_its_gate_whatever_the_depth() -> None:
    counts, label = proteins()
    assert list(gates.types(counts)) == list(label)
    assert set(gates.GATES) | {""} == set(PROFILES)


def test_cells_are_labelled_alike_in_any_order_and_with_other_proteins_beside() -> None:
    counts, label = proteins()
    order = generator("order").permutation(len(counts))
    other = counts.iloc[order, ::-1].assign(other_control=1e6)
    assert list(gates.types(other)) == list(label[order])


def test_what_lacks_or_has_one_protein_too_many_is_in_no_gate() -> None:
    counts, label = proteins()
    b = np.flatnonzero(label == "B")[:3]
    counts.loc[b[0], "CD19"] = counts.loc[b[0], "CD4"]  # nothing at all
    counts.loc[b[1], "CD3"] = counts.loc[b[1], "CD19"]
    found = gates.types(counts)
    assert list(found[b]) == ["", "", "B"]


def test_the_threshold_is_where_the_populations_cross() -> None:
    """Two normal distributions of one width and number: half-way between their means."""
    rng = generator("threshold")
    values = np.concatenate([rng.normal(0, 0.5, 4000), rng.normal(3, 0.5, 4000)])
    assert gates.threshold(values, "X") == pytest.approx(1.5, abs=0.05)
    rare = np.concatenate([rng.normal(0, 0.5, 4000), rng.normal(3, 0.5, 100)])
    # log(40) * .5^2 / 3 further from the many
    assert gates.threshold(rare, "X") == pytest.approx(1.5 + np.log(40) / 12, abs=0.08)


def test_one_population_is_refused() -> None:
    values = generator("one").normal(0, 1, 2000)
    with pytest.raises(DataError, match=r"protein CD4: populations \d\.\d\d deviations apart"):
        gates.threshold(values, "CD4")
    with pytest.raises(DataError, match="protein CD4: 5 cells of one kind"):
        gates.threshold(np.zeros(5), "CD4")
    counts, _ = proteins()
    with pytest.raises(DataError, match="no protein CD8, CD19"):
        gates.types(counts.drop(columns=["CD8", "CD19"]))


FILE = "1K_pbmc_citeseq.h5"
FOLDERS = [Path(place) for place in mirror_list([]) if "://" not in place]

if any((folder / FILE).is_file() for folder in FOLDERS):  # elsewhere it would have to be skipped

    @pytest.mark.filterwarnings("ignore:Variable names")
    def test_the_real_file(tmp_path: Path) -> None:
        """Counts as committed; half of the cells and more are of types that gates tell apart."""
        spec = Registry.load(REPO / "resources/datasets.yaml").dataset("pbmc1k_gated")
        adata = read(obtain(spec.source, tmp_path, mirror_list([])), spec)
        for join in spec.joins:
            JOINS[join.kind](adata, [])
        assert Counter(adata.obs[spec.label]) == {
            "CD14 Mono": 339, "CD4 T": 182, "CD8 T": 143, "B": 61, "CD16 Mono": 36,
            "NK": 15, "": 116,
        }  # fmt: skip
        protein = adata.obsm["protein"]
        by_type = gates.normalise(protein).groupby(np.asarray(adata.obs[spec.label])).mean()
        # A protein that no gate looks at: NK cells have most of it.
        assert by_type.CD56.drop("").idxmax() == "NK" and by_type.CD56["NK"] > 0.5
