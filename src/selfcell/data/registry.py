"""Where data come from: `resources/datasets.yaml` and own files, as frozen, checked models.

A data set is a source of counts (`selfcell.data.artefacts`), what its columns mean, and the tables
joined onto it. `DatasetSpec` is self-contained: written as JSON, it is all that a workflow script
needs.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self, TypeVar

from pydantic import Field, model_validator

from selfcell.data.artefacts import NAME, Artefact, CensusSlice, Frozen, Source
from selfcell.data.parse import nearest, parse, parse_json
from selfcell.errors import ConfigError

__all__ = [
    "NAME", "Artefact", "CensusSlice", "DatasetSpec", "Frozen", "Join", "Reference", "Registry",
    "Source",
]  # fmt: skip

Format = Literal["auto", "h5ad", "10x_h5", "10x_mtx", "csv", "zarr"]
JoinKind = Literal[
    "demuxlet", "protein_obsm", "protein_csv", "protein_h5ad", "protein_labels", "protein_gates"
]


class Join(Frozen):
    """A table joined onto the cells of a data set; `kind` names a function of `data.joins`."""

    kind: JoinKind
    sources: tuple[Source, ...] = ()


class DatasetSpec(Frozen):
    """One data set: where its counts are and what its columns mean.

    Attributes:
        name: names the data set in configs, folders and tables.
        title: for captions.
        source: the counts.
        format: of the source; `auto` goes by the file's name.
        layer: matrix that holds counts: "" for X, `raw` for `.raw`, else a layer's name.
        gene_ids: var column of Ensembl ids; empty: `gene_ids` where that holds them (10x), else
            the var names (symbols or Ensembl ids).
        label, donor, batch, condition: obs columns; empty: there is none.
        one_donor: all cells come from one donor, whom no column names.
        species: human alone; the gene table and the gene sets are human.
        ontology: key in `label_to_cl.json`; empty: labels are not mapped.
        min_genes: floor of its own, for files that hold a selection of genes; None: the study's.
        max_cells: draw this many of the cells that pass quality control; 0: all.
        joins: tables joined onto the cells, in this order.
        licence, citation, note: for the README and the cards.
    """

    name: str = Field(pattern=NAME)
    title: str = ""
    source: Source
    format: Format = "auto"
    layer: str = ""
    gene_ids: str = ""
    label: str = ""
    donor: str = ""
    one_donor: bool = False
    batch: str = ""
    condition: str = ""
    species: Literal["human"] = "human"
    ontology: str = ""
    min_genes: int | None = Field(default=None, ge=1)
    max_cells: int = Field(default=0, ge=0)
    joins: tuple[Join, ...] = ()
    licence: str = ""
    citation: str = ""
    note: str = ""

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.donor and self.one_donor:
            raise ValueError("donor and one_donor: a column says who, or nobody needs to; give one")
        return self

    @classmethod
    def own(cls, name: str, path: str, sha256: str = "", **columns: str | int) -> DatasetSpec:
        """Spec of the user's own file or folder; `columns` are other fields of the spec."""
        artefact = {"name": name, "kind": "local", "path": path, "sha256": sha256}
        data = {"name": name, "source": {"artefact": artefact}, **columns}
        return parse(cls, data, f"data set {name!r}")

    @property
    def sources(self) -> tuple[Source, ...]:
        """All files that it is made of: the counts, and the tables joined onto them."""
        return self.source, *(part for join in self.joins for part in join.sources)

    @property
    def converted(self) -> bool:
        """Whether it is read whole and written as h5ad, instead of taken as it is."""
        h5ad = self.format == "auto" and self.source.file.lower().endswith(".h5ad")
        as_it_is = self.source.artefact.census or h5ad or self.format == "h5ad"
        return bool(self.joins) or not as_it_is

    def stamp(self) -> str:
        """Changes when a file of the reader's own is replaced, whatever stands in its place."""
        return " ".join(filter(None, (part.artefact.stamp() for part in self.sources)))

    def to_json(self) -> str:
        """One line that `from_json` reads back; defaults are left out."""
        data = self.model_dump(mode="json", exclude_defaults=True)
        return json.dumps(data, sort_keys=True, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> DatasetSpec:
        """Raises ConfigError on text that is not a valid spec."""
        return parse_json(cls, text, "--spec")


class Reference(Frozen):
    """A gene table, an ontology or a collection of gene sets.

    Attributes:
        name: how the registry calls it.
        source: the file.
        earlier: for the gene table: an h5ad of an older annotation whose var maps symbols that
            have since been renamed to Ensembl ids (`earlier_ids`: the var column that holds them).
        licence, citation, note: for the README.
    """

    name: str = Field(pattern=NAME)
    source: Source
    earlier: Source | None = None
    earlier_ids: str = "gene_ids"
    licence: str = ""
    citation: str = ""
    note: str = ""


class Registry(Frozen):
    """All that `resources/datasets.yaml` names."""

    artefacts: dict[str, Artefact]
    datasets: dict[str, DatasetSpec]
    genesets: dict[str, Reference]
    references: dict[str, Reference]

    @classmethod
    def load(cls, path: Path | str) -> Registry:
        """Read the YAML file. Raises ConfigError naming the place of what is wrong."""
        import yaml

        try:
            data = yaml.safe_load(Path(path).read_text())
        except yaml.YAMLError as error:
            raise ConfigError(f"{path} is not YAML: {error}") from error
        if not isinstance(data, dict):
            raise ConfigError(f"{path} holds no mapping", "artefacts, datasets, genesets")
        for section in ("artefacts", "datasets", "genesets", "references"):
            for name, entry in (data.get(section) or {}).items():
                entry.setdefault("name", name)
        artefacts = data.get("artefacts") or {}
        data["artefacts"] = _embed(artefacts, artefacts, f"{path}: artefacts")
        artefacts = data["artefacts"]
        for section in ("datasets", "genesets", "references"):
            data[section] = _embed(data.get(section) or {}, artefacts, f"{path}: {section}")
        return parse(cls, data, str(path))

    def dataset(self, name: str) -> DatasetSpec:
        """Spec of a data set. Raises ConfigError naming the nearest one."""
        return _pick(self.datasets, name, "data set")

    def reference(self, name: str) -> Reference:
        """A reference or gene-set collection. Raises ConfigError naming the nearest one."""
        return _pick({**self.references, **self.genesets}, name, "reference")


Entry = TypeVar("Entry")


def _pick(options: Mapping[str, Entry], name: str, what: str) -> Entry:
    if name not in options:
        raise ConfigError(f"unknown {what} {name!r}", nearest(name, options))
    return options[name]


def _embed(node: Any, artefacts: Mapping[str, Any], where: str) -> Any:
    """Replace each `artefact: NAME` by the artefact, and a single member name by a list of one."""
    if isinstance(node, list):
        return [_embed(item, artefacts, where) for item in node]
    if not isinstance(node, dict):
        return node
    result = {key: _embed(value, artefacts, f"{where}.{key}") for key, value in node.items()}
    if isinstance(result.get("artefact"), str):
        result["artefact"] = _pick(artefacts, result["artefact"], f"artefact at {where}:")
    if isinstance(result.get("member"), str):
        result["member"] = [result["member"]]
    return result
