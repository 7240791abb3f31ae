"""The audit: no test cell, its twin or its donor on the training side, nor genes chosen on it.

Every check gives rows for the report; any failure stops the study.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from selfcell.data.corpus import Splits, cells_hash
from selfcell.data.specs import CorpusSpec
from selfcell.data.splits import COLUMNS, UNKNOWN, content_hash, pool_dataset, side_ids
from selfcell.data.store import Store
from selfcell.data.vocabulary import training_cells
from selfcell.errors import DataError
from selfcell.keys import generator

LEAST_COUNTS = 200  # cells with fewer counts over the shared genes may be equal by chance
EXAMPLES = 3
Row = dict[str, Any]


def audit(
    corpora: Sequence[CorpusSpec],
    corpus_ids: Mapping[str, Sequence[str]],
    splits: Splits,
    stores: Mapping[str, Store],
    chosen_on: Mapping[str, Any],
) -> dict[str, Any]:
    """Check that nothing of a test cell reaches training.

    Args:
        corpus_ids: the cells of each corpus, by corpus name.
        splits: by target.
        stores: by data set, holding every cell of it.
        chosen_on: the cells that the vocabulary was chosen on, as `read_vocabulary` gives it.

    Returns:
        {"checks": rows}, each with check, target, corpus, n, status and detail. A status is
        "pass", "declared" (shared, and the split says so), "shared" (batch or condition on both
        sides, not declared: shown, no failure), "unknown" (values are not known, so nothing can
        be said) or "fail".

    Raises:
        DataError: any "fail", naming all of them.
    """
    rows: list[Row] = []
    for target, split in sorted(splits.items()):
        rows += [_sides(target, split), _content(target, split)]
        pool = {pool_dataset(split): side_ids(split, "pool")}
        rows += [_column(target, split, stores, name, "own_pool", pool) for name in COLUMNS]
        rows += _twins(target, split, "own_pool", pool, stores)
    for corpus in corpora:
        by_store = _by_store(corpus_ids[corpus.name], stores)
        for target, split in sorted(splits.items()):
            if target in corpus.targets:
                rows.append(_members(target, split, corpus.name, corpus_ids[corpus.name]))
                # Donors of two data sets go by names that say nothing of each other.
                own = {name: ids for name, ids in by_store.items() if name == split["dataset"]}
                if own:
                    rows.append(_column(target, split, stores, "donor", corpus.name, own))
            rows += _twins(target, split, corpus.name, by_store, stores)
    rows += _barcodes(stores)
    rows += _vocabulary(corpora, splits, stores, chosen_on)
    failed = [row for row in rows if row["status"] == "fail"]
    if failed:
        raise DataError(
            "; ".join(
                f"{row['check']} ({row['target']}, {row['corpus']}): {row['detail']}"
                for row in failed
            ),
            "nothing of a test cell in training",
            "change the split or the corpus, or declare what is shared on purpose",
        )
    return {"checks": rows}


def _row(check: str, target: str, corpus: str, n: int, status: str, detail: str) -> Row:
    return {
        "check": check,
        "target": target,
        "corpus": corpus,
        "n": int(n),
        "status": status,
        "detail": detail,
    }


def _verdict(check: str, target: str, corpus: str, bad: Sequence[str], what: str) -> Row:
    detail = f"{len(bad)} {what}: {', '.join(bad[:EXAMPLES])}" if bad else f"no {what}"
    return _row(check, target, corpus, len(bad), "fail" if bad else "pass", detail)


def _sides(target: str, split: Mapping[str, Any]) -> Row:
    both = sorted(set(side_ids(split, "pool")) & set(side_ids(split, "test")))
    return _verdict("cells", target, "own_pool", both, "cells in pool and test")


def _members(target: str, split: Mapping[str, Any], corpus: str, ids: Sequence[str]) -> Row:
    bad = sorted(set(ids) & set(side_ids(split, "test")))
    return _verdict("cells", target, corpus, bad, "test cells in the corpus")


def _content(target: str, split: Mapping[str, Any]) -> Row:
    bad = [] if split["hash"] == content_hash(split) else [str(split["hash"])]
    return _verdict("split hash", target, "", bad, "hashes that do not fit the split")


def _column(
    target: str,
    split: Mapping[str, Any],
    stores: Mapping[str, Store],
    column: str,
    corpus: str,
    training: Mapping[str, Sequence[str]],
) -> Row:
    """Values of a column on both sides: of the test cells, and of training cells by data set."""
    seen = [stores[name].obs[column].reindex(list(ids)) for name, ids in training.items()]
    pool, test = pd.concat(seen), stores[split["dataset"]].obs[column]
    test = test.reindex(side_ids(split, "test"))
    both = sorted((set(pool) & set(test)) - set(UNKNOWN))
    hidden = int(pool.isin(UNKNOWN).sum() + test.isin(UNKNOWN).sum())
    detail = f"on both sides: {', '.join(both[:EXAMPLES])}" if both else "none seen on both sides"
    if hidden:
        detail += f"; not known for {hidden} cells"
    if column in split["shared"]:
        status = "declared"
    elif both:
        status = "fail" if column == "donor" else "shared"
    else:
        status = "unknown" if hidden else "pass"
    return _row(column, target, corpus, len(both), status, detail)


def _by_store(ids: Sequence[str], stores: Mapping[str, Store]) -> dict[str, list[str]]:
    """Cell ids by the data set that holds them. Raises DataError where none does."""
    wanted = set(ids)
    found = {
        name: [str(cell) for cell in store.obs.index if cell in wanted]
        for name, store in stores.items()
    }
    if sum(map(len, found.values())) != len(wanted):
        raise DataError("a corpus holds cells of no data set, or of two", "cells of one data set")
    return {name: cells for name, cells in found.items() if cells}


def _twins(
    target: str,
    split: Mapping[str, Any],
    corpus: str,
    training: Mapping[str, Sequence[str]],
    stores: Mapping[str, Store],
) -> list[Row]:
    """Other cells whose counts equal a test cell's over all genes that both data sets measured."""
    own = stores[split["dataset"]]
    test = set(side_ids(split, "test"))
    bad: list[str] = []
    compared: set[str] = set()
    for name, ids in training.items():
        shared_G = own.measured_G & stores[name].measured_G
        ours = _fingerprints(own, sorted(test), shared_G)
        ours = ours[ours["depth"] >= LEAST_COUNTS]
        # A test cell itself is the membership check's business.
        theirs = _fingerprints(stores[name], sorted(set(ids) - test), shared_G)
        pairs = ours.merge(theirs, on=["depth", "print"], suffixes=("", "_other"))
        bad += [f"{row.cell} = {row.cell_other}" for row in pairs.itertuples()]
        compared.update(ours["cell"])
    row = _verdict("equal counts", target, corpus, bad, "test cells with a twin in training")
    row["detail"] += f"; {len(compared)} of {len(test)} have the counts to tell"
    return [row if compared else {**row, "status": "unknown"}]


def _fingerprints(store: Store, ids: Sequence[str], shared_G: np.ndarray) -> pd.DataFrame:
    """Columns cell, depth (counts over the shared genes) and print.

    The print is the sum of count times a random 64-bit number of the gene, modulo 2**64: equal
    cells have equal prints, and two given cells that differ do so with chance 2**-63 at most.
    """
    counts = store.rows(store.obs.index.get_indexer(list(ids)))
    number_G = generator("fingerprint").integers(2**64, size=len(shared_G), dtype=np.uint64)
    number_G[~shared_G] = 0
    prints = counts.astype(np.uint64) @ number_G
    depth = counts.astype(np.int64) @ shared_G.astype(np.int64)
    return pd.DataFrame({"cell": list(ids), "depth": depth, "print": prints})


def _barcodes(stores: Mapping[str, Store]) -> list[Row]:
    """Equal barcodes in two data sets: shown; a failure if the cells' counts are equal too."""
    rows = []
    for a, b in combinations(sorted(stores), 2):
        shared_G = stores[a].measured_G & stores[b].measured_G
        tables = []
        for name in (a, b):
            code = stores[name].obs.index.str.partition(":").get_level_values(2)
            bases = code.str.extract("([ACGT]{12,})", expand=False)
            bases = pd.Series(bases, index=stores[name].obs.index).dropna()
            table = _fingerprints(stores[name], bases.index.tolist(), shared_G)
            tables.append(table.assign(barcode=bases.to_numpy()))
        pairs = tables[0].merge(tables[1], on="barcode", suffixes=("", "_other"))
        equal = pairs[
            (pairs["print"] == pairs["print_other"])
            & (pairs["depth"] > 0)
            & (pairs["depth"] == pairs["depth_other"])
        ]
        if len(equal):
            bad = [f"{row.cell} = {row.cell_other}" for row in equal.itertuples()]
            rows.append(_verdict("barcodes", a, b, bad, "cells with equal barcode and counts"))
        else:
            detail = f"{len(pairs)} equal barcodes, no equal cell"
            rows.append(_row("barcodes", a, b, len(pairs), "pass", detail))
    return rows


def _vocabulary(
    corpora: Sequence[CorpusSpec],
    splits: Splits,
    stores: Mapping[str, Store],
    chosen_on: Mapping[str, Any],
) -> list[Row]:
    """The cells that chose the genes are the training cells of these splits, and no others."""
    obs = {name: store.obs for name, store in stores.items()}
    expected = training_cells(obs, corpora, splits)
    bad = sorted(set(chosen_on) ^ set(expected))
    for name in sorted(set(chosen_on) & set(expected)):
        if chosen_on[name]["cells"] != cells_hash(expected[name].ids):
            bad.append(name)
    return [_verdict("vocabulary", "", "", bad, "sources of genes other than the training cells")]
