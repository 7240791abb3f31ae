"""The genes of a study: a union chosen on training cells only, with what each data set measured.

Genes come from the most variable of each corpus, the most variable of each target's training
pool, and transcription factors. Test cells of any target take no part, and labels neither.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import sparse

from selfcell import job
from selfcell.data.corpus import Selection, Splits, cells_hash, select
from selfcell.data.moments import Moments, most_variable
from selfcell.data.own import Matrix, spec_of
from selfcell.data.specs import CorpusSource, CorpusSpec, VocabularySpec
from selfcell.errors import DataError, StoreError, intact

if TYPE_CHECKING:
    from anndata import AnnData

KEY = b"selfcell.chosen_on"
FLAGS = ("from_corpus", "from_target", "from_tf")


def choose(
    cells: Mapping[str, AnnData],
    corpora: Sequence[CorpusSpec],
    splits: Splits,
    spec: VocabularySpec,
    extra_symbols: Iterable[str] = (),
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Choose the vocabulary.

    Args:
        cells: counts by data set, `var_names` Ensembl ids, var column symbol, obs column
            total_counts.
        splits: by target.
        extra_symbols: genes to add if any data set measured them (transcription factors).

    Returns:
        One row per gene, sorted by id: gene_id, symbol, from_corpus, from_target, from_tf, and
        measured_<data set>; and by source the cells it was chosen on: n, cells (hash), asked,
        found.

    Raises:
        DataError: what `select` raises, or no gene at all.
    """
    obs = {name: data.obs for name, data in cells.items()}
    found: dict[str, list[str]] = {flag: [] for flag in FLAGS}
    chosen_on: dict[str, Any] = {}
    for name, chosen in training_cells(obs, corpora, splits).items():
        flag = "from_target" if name.startswith("target ") else "from_corpus"
        asked = spec.target_genes if flag == "from_target" else spec.corpus_genes
        genes = _top_genes(cells, chosen, asked)
        found[flag] += genes
        record = {"n": len(chosen.ids), "cells": cells_hash(chosen.ids)}
        chosen_on[name] = {**record, "asked": asked, "found": len(genes)}
    symbols = _symbols(cells)
    wanted = set(extra_symbols)
    found["from_tf"] = [gene for gene, symbol in symbols.items() if symbol in wanted]
    gene_ids = sorted(set().union(*found.values()))
    if not gene_ids:
        raise DataError("the vocabulary is empty", "at least one gene", "raise corpus_genes")
    frame = pd.DataFrame({"gene_id": gene_ids, "symbol": [symbols[gene] for gene in gene_ids]})
    for flag in FLAGS:
        frame[flag] = frame["gene_id"].isin(found[flag])
    for name in sorted(cells):
        frame[f"measured_{name}"] = frame["gene_id"].isin(cells[name].var_names)
    return frame, chosen_on


def training_cells(
    obs: Mapping[str, pd.DataFrame], corpora: Sequence[CorpusSpec], splits: Splits
) -> dict[str, Selection]:
    """The cells that may choose genes, by source: "corpus NAME", "target NAME".

    The test cells of every target of the study are out, whichever corpus they stand in, since one
    vocabulary serves all targets.
    """
    chosen: dict[str, Selection] = {}
    for corpus in corpora:
        if corpus.vocabulary:
            permissive = corpus.model_copy(update={"exclude": True})
            chosen[f"corpus {corpus.name}"] = select(permissive, obs, splits, sorted(splits))
    for target, split in sorted(splits.items()):
        if split.get("task") == "protein":
            continue  # proteins are predicted from the study's genes; their pools choose none
        source = CorpusSource(dataset=split["dataset"], pool_of=target)
        pool = CorpusSpec(name=f"pool.{target}", sources=(source,))
        chosen[f"target {target}"] = select(pool, obs, splits, sorted(splits))
    return chosen


def factors_with_targets(
    targets: Mapping[str, Iterable[str]], cells: Mapping[str, AnnData]
) -> list[str]:
    """Transcription factors (symbols) of which some data set measured at least one target."""
    measured = set(_symbols(cells).values())
    return sorted(factor for factor, genes in targets.items() if measured.intersection(genes))


def _top_genes(cells: Mapping[str, AnnData], chosen: Selection, n: int) -> list[str]:
    """Most variable genes of a selection, among the genes that all its data sets measured; one
    pass over its cells."""
    picks = [(cells[name], np.sort(rows)) for name, rows in chosen.rows if len(rows)]
    shared = set.intersection(*(set(data.var_names) for data, _ in picks))
    if not shared:
        names = [name for name, rows in chosen.rows if len(rows)]
        raise DataError(
            f"no gene was measured in all of {', '.join(names)}",
            "data sets of one corpus that share genes",
            "give each a corpus of its own, or leave out the one of other genes",
        )
    genes = np.array(sorted(shared), dtype=str)
    moments = Moments(len(genes))
    for data, rows in picks:
        columns = data.var_names.get_indexer(genes)
        totals = data.obs["total_counts"].to_numpy()
        for start, block in _blocks(data):
            own = rows[np.searchsorted(rows, start) : np.searchsorted(rows, start + block.shape[0])]
            if len(own):
                moments.add(block[own - start][:, columns], totals[own], np.ones(len(own), bool))
    return most_variable(moments, genes, n)


def _blocks(data: AnnData) -> Iterator[tuple[int, sparse.csr_matrix]]:
    """First row and counts of each block of cells, which may be on disk."""
    return Matrix(data.X, data, spec_of("cells")).blocks()


def _symbols(cells: Mapping[str, AnnData]) -> dict[str, str]:
    """Symbol of every gene that a data set measured."""
    symbols: dict[str, str] = {}
    for name in sorted(cells):
        for gene, symbol in zip(cells[name].var_names, cells[name].var["symbol"], strict=True):
            symbols.setdefault(str(gene), str(symbol))
    return symbols


def alignment(cells: Mapping[str, AnnData], vocabulary: pd.DataFrame) -> pd.DataFrame:
    """How the vocabulary fits each data set, one row each.

    Columns: dataset, n_cells, n_genes (measured in all), vocabulary (genes), measured, missing,
    missing_from_corpus, missing_from_target, missing_from_tf, share_measured, share_of_counts
    (of the counts of protein-coding genes, those in the vocabulary), share_of_total (of all
    counts); shares in [0, 1].
    """
    rows = []
    for name in sorted(cells):
        data = cells[name]
        is_there = vocabulary[f"measured_{name}"]
        inside = data.var_names.isin(vocabulary["gene_id"])
        per_gene = np.zeros(data.n_vars)
        for _, block in _blocks(data):
            per_gene += np.asarray(block.sum(axis=0, dtype=np.float64)).ravel()
        row = {
            "dataset": name,
            "n_cells": data.n_obs,
            "n_genes": data.n_vars,
            "vocabulary": len(vocabulary),
            "measured": int(is_there.sum()),
            "missing": int((~is_there).sum()),
        }
        row |= {f"missing_{flag}": int((vocabulary[flag] & ~is_there).sum()) for flag in FLAGS}
        rows.append(
            {
                **row,
                "share_measured": float(is_there.mean()),
                "share_of_counts": float(per_gene[inside].sum() / per_gene.sum()),
                "share_of_total": float(per_gene[inside].sum() / data.obs["total_counts"].sum()),
            }
        )
    return pd.DataFrame(rows)


def write_vocabulary(frame: pd.DataFrame, chosen_on: Mapping[str, Any], path: Path | str) -> None:
    """Write the vocabulary as parquet, with the cells it was chosen on in the file's metadata."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.Table.from_pandas(frame, preserve_index=False)
    note = {KEY: json.dumps(chosen_on, sort_keys=True).encode()}
    table = table.replace_schema_metadata({**(table.schema.metadata or {}), **note})
    with job.atomic(path) as temporary:
        pq.write_table(table, temporary)


def read_vocabulary(path: Path | str) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Read the vocabulary and the cells it was chosen on. Raises StoreError without those."""
    import pyarrow.parquet as pq

    with intact(path):
        table = pq.read_table(path)
    note = (table.schema.metadata or {}).get(KEY)
    if note is None:
        raise StoreError(
            f"{path} does not say on which cells its genes were chosen",
            "a vocabulary written by the rule `vocabulary`",
        )
    return table.to_pandas(), json.loads(note)
