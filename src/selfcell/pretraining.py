"""A model pre-trained on one's own cells, as the study does it."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from selfcell.api import Model
from selfcell.data import own
from selfcell.data.corpus import Corpus
from selfcell.data.genes import GeneTable
from selfcell.data.h5ad import InMemory
from selfcell.data.parse import parse
from selfcell.data.qc import Limits, qc
from selfcell.data.specs import CorpusSource, CorpusSpec, VocabularySpec
from selfcell.data.store import Store
from selfcell.data.vocabulary import choose
from selfcell.data.writer import write_store
from selfcell.errors import ConfigError
from selfcell.masks.gmt import read_gmt
from selfcell.methods import parameters
from selfcell.provenance import short_hash
from selfcell.specs import PretrainSpec
from selfcell.tasks import model as folder
from selfcell.tasks.pretrain import Pretrained
from selfcell.tasks.pretrain import pretrain as train

if TYPE_CHECKING:
    from anndata import AnnData

log = logging.getLogger("selfcell")

CELLS = CorpusSpec(name="cells", sources=(CorpusSource(dataset="cells"),))
NO_LICENCE = "not stated; the cells it was trained on keep the licence of their source"


def pretrain(
    cells: AnnData | Store | Path | str,
    method: str = "random_mask",
    *,
    layer: str | None = None,
    gene_ids: str = "",
    params: Mapping[str, Any] | None = None,
    gene_sets: Path | str | None = None,
    gene_table: Path | str | None = None,
    genes: int = 2000,
    min_genes: int | None = None,
    hidden: tuple[int, ...] = (512, 512, 256, 256, 64),
    steps: int = 400,
    batch: int = 256,
    lr: float = 1e-3,
    seed: int = 0,
    device: str = "auto",
    minutes: float | None = None,
    licence: str = NO_LICENCE,
) -> Model:
    """Pre-train on one's own cells, without labels, as the study does.

    The cells are held in memory. A loss that diverges leaves a model of status "diverged".

    Args:
        cells: AnnData; or a store, opened or its folder, as `selfcell convert` and a study write
            it. The cells and genes of a store are taken as they are, so `layer`, `gene_ids`,
            `gene_table` and `min_genes` do not go with one.
        method: a key of `selfcell.methods.METHODS`. params: its hyper-parameters.
        layer, gene_ids: as in `Model.embed`.
        gene_sets: GMT file of gene sets (symbols), for methods of gene programmes.
        gene_table: table that the study's rule `reference` wrote: genes are named by it, and only
            those that code for proteins are kept. None: the file's own names stand, all genes.
        genes: most variable genes that the model sees.
        min_genes: a cell that shows fewer is left out; None: 200, or a tenth of the file's.
        hidden: widths of the encoder's layers; the last is the embedding's.
        steps, batch, lr, seed: optimiser steps, cells a step, learning rate, all draws.
        device: cpu, cuda (a GPU), or auto, a GPU where there is one. minutes: of training, at most.
        licence: of the weights, for the card.

    Raises:
        ConfigError: an unknown method or parameter, a value out of range, or an option that does
            not go with a store.
        StoreError: no store, or a damaged one.
        DataError: no counts, too few cells that pass, gene sets that do not fit.
    """
    training = {
        "steps": steps, "batch": batch, "lr": lr, "device": device, "max_minutes": minutes
    }  # fmt: skip
    spec = _spec(method, dict(params or {}), seed, hidden, training)
    if getattr(parameters(method, spec.params, "pretrain"), "gene_sets", "") and not gene_sets:
        got = f"method {method!r} needs gene sets, and none were given"
        raise ConfigError(got, "a GMT file", "gene_sets=FILE (--gene-sets FILE)")
    chosen = parse(VocabularySpec, {"corpus_genes": genes}, "pretrain")
    programmes = read_gmt(gene_sets) if gene_sets else {}
    how: dict[str, Any] = {"layer": layer, "gene_ids": gene_ids}
    how |= {"gene_table": gene_table, "min_genes": min_genes}
    stored = isinstance(cells, Store | Path | str)
    passed = _stored(cells, how) if stored else _passed(cells, **how)
    return _trained(spec, passed, chosen, programmes, licence)


def _spec(
    method: str,
    params: dict[str, Any],
    seed: int,
    hidden: tuple[int, ...],
    training: dict[str, Any],
) -> PretrainSpec:
    settings = {
        "study": "own", "protocol": "intended", "corpus": CELLS, "method": method, "task": method,
        "params": params, "seed": seed, "network": {"hidden": list(hidden)},
        "training": training}  # fmt: skip
    return parse(PretrainSpec, settings, "pretrain")


def _trained(
    spec: PretrainSpec,
    passed: AnnData,
    chosen: VocabularySpec,
    programmes: Mapping[str, Sequence[str]],
    licence: str,
) -> Model:
    """Choose genes, put the cells into a store of them, train on that."""
    vocabulary, _ = choose({"cells": passed}, [CELLS], {}, chosen)
    with TemporaryDirectory() as temporary:
        write_store(passed, vocabulary, Path(temporary, "cells"))
        store = Store.open(Path(temporary, "cells"), verify=False)
        corpus = Corpus.build(CELLS, {"cells": store}, {})
        result = train(spec, corpus, programmes)
        inputs = {"cells": str(store.manifest["sha256"])}
    return _model(spec, corpus, result, inputs, licence)


def _stored(cells: Store | Path | str, how: Mapping[str, Any]) -> AnnData:
    path = cells.path if isinstance(cells, Store) else Path(cells)
    if path.is_file():
        raise ConfigError(
            f"{path} is a file",
            "AnnData, or the folder of a store",
            f"pretrain(anndata.read_h5ad({str(path)!r})), or selfcell pretrain {path} --out MODEL",
        )
    if given := [name for name, value in how.items() if value not in (None, "")]:
        raise ConfigError(
            f"{', '.join(given)} with the store {path}",
            "a store alone: its cells and genes are taken as they are",
            "leave that out, or give the file that the store was made of",
        )
    return (cells if isinstance(cells, Store) else Store.open(path)).to_anndata()


def _passed(
    adata: AnnData,
    layer: str | None,
    gene_ids: str,
    gene_table: Path | str | None,
    min_genes: int | None,
) -> AnnData:
    """Cells that pass quality control, their genes named as a study's."""
    passed = InMemory()
    matrix = own.Matrix.of(adata, layer, own.spec_of("cells", gene_ids))
    fewest = own.fewest_genes(matrix.values.shape[1]) if min_genes is None else min_genes
    table = GeneTable.from_csv(gene_table) if gene_table else own.own_table(matrix)
    limits = parse(Limits, {"min_genes": fewest}, "pretrain")
    done = qc(matrix, table, limits, {}, lambda _: passed)
    log.info("%d of %d cells pass quality control", len(passed.cells), len(done.table))
    return passed.cells


def _model(
    spec: PretrainSpec, corpus: Corpus, result: Pretrained, inputs: dict[str, str], licence: str
) -> Model:
    notes = {
        "corpus": dict(corpus.report), "inputs": inputs, **result.notes(),
        "licence": licence, "run_hash": short_hash(spec.model_dump(mode="json"), inputs),
    }  # fmt: skip
    about = folder.describe(spec, corpus.genes, result.health, notes)
    encoder = result.method.encoder
    return Model(folder.Trained(encoder, None, about["gene_ids"], about["status"], about))
