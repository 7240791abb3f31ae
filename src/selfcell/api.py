"""Models for one's own cells: load one, embed cells, annotate them.

`selfcell.load` and `selfcell.pretrain` (in `selfcell.pretraining`) give a `Model`. Cells come as
AnnData with raw counts in X or in a layer, dense or sparse, in memory or on disk; they are prepared
as in the study (counts scaled to 10,000 a cell over all genes of the file, then log1p). Nothing of
the AnnData changes but what a method says it writes.

Shape suffixes: N cells, G genes, D latent dimensions.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from selfcell import hub
from selfcell.aligned import alignment, embed_cells
from selfcell.data import own
from selfcell.data.contract import labels
from selfcell.data.parse import nearest
from selfcell.data.registry import DatasetSpec
from selfcell.data.specs import MIN_FOUND
from selfcell.errors import ConfigError, DataError
from selfcell.tasks import model as folder
from selfcell.tasks.readouts import FEWEST, RE_SCORES, READOUTS

if TYPE_CHECKING:
    from anndata import AnnData

log = logging.getLogger("selfcell")

EMBEDDING, LABEL, CONFIDENCE = "X_selfcell", "selfcell_label", "selfcell_confidence"


class Model:
    """A pre-trained encoder and what is known of it.

    Attributes:
        trained: weights, vocabulary, and the whole of model.json (`trained.about`).
        aligned: what became of the genes at the last `embed` ("cells") or `annotate`
            ("reference" too), as `alignment` says it.
    """

    def __init__(self, trained: folder.Trained) -> None:
        self.trained = trained
        self.aligned: dict[str, dict[str, Any]] = {}

    def __repr__(self) -> str:
        about, genes = self.trained.about, len(self.trained.gene_ids)
        return f"Model({about['spec']['method']}, {genes} genes, {self.trained.status})"

    def save(self, path: Path | str) -> None:
        """Write the encoder, its description and its card into a folder, as `load` reads it; no
        decoder."""
        from selfcell.modelcard import markdown

        state = self.trained.encoder.state_dict()
        weights = {f"encoder.{name}": value for name, value in state.items()}
        folder.write(Path(path), weights, self.trained.about)
        card = markdown(self.trained.about, Path(path).name)
        (Path(path) / "CARD.md").write_text(card + "\n", encoding="utf-8")

    def alignment(
        self, adata: AnnData, layer: str | None = None, gene_ids: str = ""
    ) -> dict[str, Any]:
        """How cells fit the model: its genes, those found, their share in [0, 1], the first ten
        missing; the share of the cells' counts in them (`counts_kept`), how many genes of the
        file are left out, and what is done about the rest. Arguments as in `embed`."""
        matrix = own.Matrix.of(adata, layer, own.spec_of("cells", gene_ids))
        return alignment(self.trained, matrix)

    def embed(
        self,
        adata: AnnData,
        layer: str | None = None,
        gene_ids: str = "",
        batch: int = own.BLOCK,
        copy: bool = False,
        min_found: float = MIN_FOUND,
    ) -> AnnData | None:
        """Write the embedding, (N, D) float32, to `adata.obsm["X_selfcell"]`.

        Args:
            adata: cells x genes; names of genes are symbols or Ensembl ids.
            layer: where the raw counts are: None for X, "raw" for `.raw`, else a layer's name.
            gene_ids: var column of Ensembl ids, where neither the var names nor a column
                `gene_ids` holds them.
            batch: cells read at once; no result depends on it (but for rounding, 1e-6).
            copy: leave `adata` as it is and return a copy with the embedding.
            min_found: share of the model's genes, in [0, 1], below which the cells are refused.

        Returns:
            The copy, or None.

        Raises:
            DataError: no counts, a cell without any, a gene twice, no such layer or column, too
                few of the model's genes, or a view of a backed AnnData without `copy`.
        """
        _require_own_place(adata, copy)
        spec, self.aligned = own.spec_of("cells", gene_ids), {}
        z_ND = self._embedding(adata, layer, spec, batch, min_found)
        target = _copied(adata) if copy else adata
        target.obsm[EMBEDDING] = z_ND
        return target if copy else None

    def annotate(
        self,
        adata: AnnData,
        reference: AnnData,
        label: str = "cell_type",
        readout: str = "probe",
        *,
        layer: str | None = None,
        gene_ids: str = "",
        reference_layer: str | None = None,
        reference_gene_ids: str = "",
        batch: int = own.BLOCK,
        copy: bool = False,
        min_found: float = MIN_FOUND,
    ) -> AnnData | None:
        """Name the types of cells from labelled ones, both embedded by this model.

        Writes `adata.obs["selfcell_label"]`, and with a readout that has probabilities ("probe")
        `adata.obs["selfcell_confidence"]`, that of the label, in [0, 1]. A type that the reference
        lacks is never named, so a cell of such a type gets a wrong label.

        Args:
            reference: cells with labels; those whose label is empty are left out.
            label: its obs column of labels.
            readout: a key of `tasks.readouts.READOUTS`: probe, prototype, knn1, knn5.
            reference_layer, reference_gene_ids: as `layer` and `gene_ids`, for the reference.

        The other arguments, what is returned and raised: as `embed`; ConfigError for an unknown
        readout.
        """
        if readout not in READOUTS:
            offered = [name for name in READOUTS if name not in RE_SCORES]
            raise ConfigError(f"unknown readout {readout!r}", nearest(readout, offered))
        if not label:
            raise ConfigError("no label column", "the reference's obs column of labels")
        _require_own_place(adata, copy)
        spec, self.aligned = own.spec_of("reference", reference_gene_ids, label), {}
        known_ND = self._embedding(reference, reference_layer, spec, batch, min_found)
        spec = own.spec_of("cells", gene_ids)
        z_MD = self._embedding(adata, layer, spec, batch, min_found)
        name_N = labels(reference, label)
        rows = np.flatnonzero(name_N != "")
        types, code_N = np.unique(name_N[rows].astype(str), return_inverse=True)
        _warn_of_few(readout, types, code_N)
        fitted = READOUTS[readout]()
        fitted.fit(known_ND[rows], code_N, len(types))
        code_M, proba_MK = fitted.predict(z_MD)
        target = _copied(adata) if copy else adata
        target.obs[LABEL] = pd.Categorical.from_codes(code_M, categories=list(types))
        if proba_MK is not None:
            target.obs[CONFIDENCE] = proba_MK.max(axis=1)
        elif CONFIDENCE in target.obs:
            del target.obs[CONFIDENCE]  # of another readout's labels
        return target if copy else None

    def _embedding(
        self, adata: AnnData, layer: str | None, spec: DatasetSpec, batch: int, min_found: float
    ) -> np.ndarray:
        """(N, D) float32; keeps the report."""
        matrix = own.Matrix.of(adata, layer, spec)
        z_ND, self.aligned[spec.name] = embed_cells(self.trained, matrix, batch, min_found)
        return z_ND


def load(path: Path | str, revision: str | None = None) -> Model:
    """Read a model: a folder, of a study or of `Model.save`, or one on the Hugging Face Hub.

    Args:
        path: of the folder; or `hf://owner/name`, or `owner/name` where no such folder is.
        revision: branch, tag or commit on the Hub (None: main); a commit never changes.

    Raises:
        StoreError: no model, a damaged one, or one of another format.
        FetchError: the Hub refuses, or cannot be reached. ConfigError: no such form of address.
    """
    address = hub.address_of(str(path), revision)
    model = Model(folder.load(hub.pull(address) if address else Path(path)))
    if model.trained.status not in ("ok", "unchecked"):
        log.warning("%s: this model is marked %r by the learning gate", path, model.trained.status)
    return model


def _require_own_place(adata: AnnData, copy: bool) -> None:
    """Refuse what is no AnnData, and a view of a file, which nothing can be written to."""
    own.require_anndata(adata, "cells")
    if adata.is_view and adata.isbacked and not copy:
        raise DataError(
            "the cells are a view of a backed AnnData, to which nothing can be written",
            "a whole AnnData, or cells in memory",
            "copy=True gives a copy with the result; or take cells.to_memory()",
        )


def _copied(adata: AnnData) -> AnnData:
    return adata.to_memory() if adata.isbacked else adata.copy()


def _warn_of_few(readout: str, types: np.ndarray, code_N: np.ndarray) -> None:
    few = types[np.bincount(code_N, minlength=len(types)) < FEWEST.get(readout, 1)]
    if len(few):
        log.warning(
            "%s: %d types have under %d labelled cells (first: %s); readout probe does with fewer",
            readout, len(few), FEWEST[readout], few[0],
        )  # fmt: skip
