"""Slices of the CELLxGENE Census, streamed into h5ad: by version and filter, in bounded memory.

What is kept in memory: a few numbers a cell, and the counts of `ROWS` cells. The Census is read
with `tiledbsoma`, the optional extra `census`.

Shape suffixes: N cells of the slice, G genes of it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from tqdm import tqdm

from selfcell.data.artefacts import CensusSlice, Source
from selfcell.data.h5ad import H5adWriter
from selfcell.data.parse import nearest
from selfcell.errors import ConfigError, DataError, FetchError
from selfcell.metrics import ontology

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger("selfcell")

ROWS = 4096
TYPE, TERM, SAMPLE, ID = "cell_type", "cell_type_ontology_term_id", "sample", "soma_joinid"
# a read's buffer for each column, where the library would take a gigabyte
SETTINGS: dict[str, str | float] = {"soma.init_buffer_bytes": 1 << 26}
PUBLIC: dict[str, str | float] = {"vfs.s3.region": "us-west-2", "vfs.s3.no_sign_request": "true"}

Obtain = Callable[[Source], Path]


def write(chosen: CensusSlice, roles: tuple[str, ...], obtain: Obtain, out: Path) -> None:
    """Write a slice as h5ad.

    Args:
        chosen: which cells and genes.
        roles: obs columns that the data set gives a meaning to.
        obtain: fetches the ontology and the list of genes.
        out: the file. X float32 counts (CSR), obs names the Census's cell ids, obs the columns
            asked for, var indexed by Ensembl id with `symbol`.

    Raises:
        ConfigError: the extra is missing, or a column that the Census does not have.
        FetchError: the Census cannot be opened or read.
        DataError: no cell or no gene is left.
    """
    with _opened(chosen) as human:
        obs = _kept_types(_obs(human.obs, chosen, roles), chosen, obtain)
        var = _var(human.ms["RNA"].var, chosen, obtain)
        with H5adWriter(out, len(var)) as writer:
            with tqdm(total=len(obs), desc="Census", mininterval=1, leave=False, delay=2) as bar:
                for block in _blocks(human.ms["RNA"].X["raw"], obs.index.to_numpy(), var):
                    writer.append(block)
                    bar.update(block.shape[0])
            names = obs.set_index(obs.index.astype(str)).rename_axis(None)
            genes = var.set_index("feature_id")[["feature_name"]].rename_axis(None)
            uns = {"census": {"version": chosen.version, "uri": chosen.address}}
            uns["census"]["filter"] = chosen.condition()
            uns["selfcell_converted"] = True  # type: ignore[assignment]
            writer.finish(names, genes.set_axis(["symbol"], axis=1), uns=uns)


@contextmanager
def _opened(chosen: CensusSlice) -> Iterator[Any]:
    """The human experiment of the Census; what the library raises becomes a FetchError."""
    try:
        import tiledbsoma
    except ImportError as error:
        raise ConfigError(
            "tiledbsoma, with which the CELLxGENE Census is read, is not installed",
            "the extra `census`",
            "pip install -c envs/constraints.txt -e '.[census]'",
        ) from error
    settings = SETTINGS | (PUBLIC if chosen.address.startswith("s3://") and not chosen.uri else {})
    context = tiledbsoma.SOMATileDBContext(tiledb_config=settings)
    try:
        opened: Any = tiledbsoma.Collection.open(chosen.address, context=context)
        with opened as census:
            yield census["census_data"]["homo_sapiens"]
    except (tiledbsoma.SOMAError, KeyError, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise FetchError(
            f"the Census at {chosen.address} cannot be read ({' '.join(str(error).split())})",
            "a SOMA collection with census_data/homo_sapiens",
            "check the network, the version, the filter and `uri:`",
        ) from error


def _obs(frame: Any, chosen: CensusSlice, roles: tuple[str, ...]) -> pd.DataFrame:
    """Kept columns of the cells that pass the filters of columns, indexed by Census id; text as
    categories, so that a cell takes a few bytes of each column."""
    import pandas as pd
    from pandas.api.types import union_categoricals

    own = {column for column in (*roles, *chosen.columns, *chosen.where) if column != SAMPLE}
    wanted = sorted({TYPE, TERM, *chosen.sample, *own})
    known = list(frame.keys())
    for column in wanted:
        if column not in known:
            raise ConfigError(f"the Census has no obs column {column!r}", nearest(column, known))
    parts: dict[str, list[Any]] = {column: [] for column in (ID, *wanted)}
    condition = {"value_filter": chosen.condition()} if chosen.condition() else {}
    for table in frame.read(column_names=[ID, *wanted], **condition):
        for column in parts:
            values = table.column(column)
            text = values.type in ("string", "large_string") or "dictionary" in str(values.type)
            part = values.to_pandas()
            parts[column].append(pd.Categorical(part) if text else part.to_numpy())
    ids = np.concatenate([np.empty(0, np.int64), *parts.pop(ID)])
    _require(len(ids), chosen, "the filters of columns")
    columns = {
        column: union_categoricals(each, sort_categories=True)
        if isinstance(each[0], pd.Categorical)
        else np.concatenate(each)
        for column, each in parts.items()
    }
    obs = pd.DataFrame(columns, index=pd.Index(ids, name=ID)).sort_index()
    if chosen.sample:
        obs[SAMPLE] = _joined(obs, chosen.sample)
    return obs


def _joined(obs: pd.DataFrame, columns: tuple[str, ...]) -> Any:
    """Values of some columns as one, by `_`: made for each combination, not for each cell."""
    import pandas as pd

    groups = obs.groupby(list(columns), observed=True, sort=True)
    keys = groups.ngroup().to_numpy()
    names = groups.size().index.to_frame().astype(str).agg("_".join, axis=1).to_numpy()
    unique, codes = np.unique(names, return_inverse=True)
    return pd.Categorical.from_codes(codes[keys], unique)


def _kept_types(obs: pd.DataFrame, chosen: CensusSlice, obtain: Obtain) -> pd.DataFrame:
    """Cells of the types that pass, each filter counting on what the ones before it left."""
    if chosen.within or chosen.min_ancestors:
        if chosen.ontology is None:
            raise ConfigError("within and min_ancestors need `ontology:`", "the Cell Ontology")
        terms = ontology.read(obtain(chosen.ontology))
        passed = [term for term in obs[TERM].unique() if _is_deep(terms, str(term), chosen)]
        obs = _only(obs, obs[TERM].isin(passed), chosen, "within and min_ancestors")
    if chosen.min_cells:
        per_type = obs[TYPE].map(obs[TYPE].value_counts()).astype(int)
        obs = _only(obs, per_type >= chosen.min_cells, chosen, "min_cells")
    if chosen.min_samples:
        seen = obs.groupby(TYPE, observed=True)[SAMPLE].nunique()
        per_type = obs[TYPE].map(seen).astype(int)
        obs = _only(obs, per_type >= chosen.min_samples, chosen, "min_samples")
    for column in obs.select_dtypes("category"):
        obs[column] = obs[column].cat.remove_unused_categories()
    return obs


def _is_deep(terms: ontology.Ontology, term: str, chosen: CensusSlice) -> bool:
    live = terms.resolve(term)
    if live is None:
        return False
    inside = not chosen.within or terms.is_within(live, chosen.within)
    return inside and len(terms.ancestors[live]) >= chosen.min_ancestors


def _only(obs: pd.DataFrame, kept: Any, chosen: CensusSlice, what: str) -> pd.DataFrame:
    types = obs[TYPE].nunique()
    left = obs[kept.to_numpy(dtype=bool)].copy()
    log.info(
        "%s: %d of %d cells, %d of %d types stay",
        *(what, len(left), len(obs), left[TYPE].nunique(), types),
    )
    _require(len(left), chosen, what)
    return left


def _require(n: int, chosen: CensusSlice, what: str) -> None:
    if not n:
        raise DataError(
            f"no cell of the Census {chosen.version} passes {what} ({chosen.condition()})",
            "at least one cell",
            "loosen the filter, and compare its values with those of the Census's obs columns",
        )


def _var(frame: Any, chosen: CensusSlice, obtain: Obtain) -> pd.DataFrame:
    """Columns soma_joinid, feature_id and feature_name of the genes, in the Census's order."""
    var = frame.read(column_names=[ID, "feature_id", "feature_name"]).concat().to_pandas()
    var = var.sort_values(ID, ignore_index=True)
    if chosen.genes is None:
        return var
    lines = obtain(chosen.genes).read_text(encoding="utf-8").splitlines()
    wanted = {line.replace(",", "\t").split("\t")[0].strip().split(".")[0] for line in lines}
    kept = var[var["feature_id"].isin(wanted)].reset_index(drop=True)
    log.info("genes: %d of %d named are in the Census", len(kept), len(wanted - {""}))
    if kept.empty:
        got = f"none of the {len(wanted)} genes of {chosen.genes.file} is in the Census"
        raise DataError(got, "Ensembl ids, one a line", "check the file's first column")
    return kept


def _blocks(matrix: Any, ids: np.ndarray, var: pd.DataFrame) -> Iterator[Any]:
    """(<= ROWS, G) counts, cell after cell in the order of `ids`, which ascend."""
    from scipy import sparse

    joined = var[ID].to_numpy()
    column = np.full(int(matrix.shape[1]), -1, dtype=np.int32)
    column[joined] = np.arange(len(joined))
    for start in range(0, len(ids), ROWS):
        part = ids[start : start + ROWS]
        solid = part[-1] - part[0] + 1 == len(part)
        rows = slice(int(part[0]), int(part[-1])) if solid else part
        found = []
        for table in matrix.read((rows, slice(None))).tables():
            cell, gene, count = (each.to_numpy() for each in table.columns)
            there = column[gene]
            known = there >= 0
            cell = np.searchsorted(part, cell[known]).astype(np.int32)
            found.append((count[known], cell, there[known]))
        if not found:
            yield sparse.csr_matrix((len(part), len(var)), dtype=np.float32)
            continue
        count, cell, gene = (np.concatenate(each) for each in zip(*found, strict=True))
        shape = (len(part), len(var))
        yield sparse.csr_matrix((count.astype(np.float32), (cell, gene)), shape=shape)
