"""Ready models that a study of a reader's own cells is to judge."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from selfcell import hub
from selfcell.comparison.cells import Cells
from selfcell.data import own
from selfcell.data.specs import MIN_FOUND


def fetched(
    models: Sequence[Path | str], cells: Cells, min_found: float = MIN_FOUND
) -> dict[Path, str]:
    """Folder of each model, and its name; one on the Hub is fetched into the cache.

    Each is read whole and held against the genes of the cells, to be refused now rather than
    minutes later.

    Args:
        models: as `selfcell.load` takes them.
        min_found: share of a model's genes, in [0, 1], below which the cells are refused.

    Raises:
        StoreError: no model, or a damaged one. FetchError: the Hub refuses, or cannot be reached.
        ConfigError: no such form of address, or `min_found` is no share.
        DataError: too few of a model's genes are found.
    """
    found: dict[Path, str] = {}
    for text in map(str, models):
        address = hub.address_of(text)
        folder = hub.pull(address) if address else Path(text).expanduser().absolute()
        _require_genes(folder, cells, min_found)
        found[folder] = Path(address.repo).name if address else folder.name
    return found


def _require_genes(folder: Path, cells: Cells, min_found: float) -> None:
    from selfcell.tasks.model import load

    trained = load(folder)
    with own.opened(cells.path) as adata:
        matrix = own.Matrix.of(adata, cells.layer or None, own.spec_of("cells", cells.gene_ids))
        own.align(matrix, trained.gene_ids, trained.symbols).require(matrix, min_found)
