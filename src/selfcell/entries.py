"""Entries of the configuration: data sets, quality, corpora, targets, gene sets, methods."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Self

from pydantic import Field, model_validator

from selfcell.data.artefacts import UUID, CensusSlice
from selfcell.data.parse import nearest, parse
from selfcell.data.protein_split import ProteinSplit
from selfcell.data.registry import DatasetSpec, Registry
from selfcell.data.section import Section
from selfcell.data.specs import MIN_FOUND, CorpusSource, SplitSpec
from selfcell.methods.published import DEVIATIONS, Deviation
from selfcell.specs import Name, Normalisation, ProteinTuning


class Dataset(Section):
    """A data set: one of the registry's by name, or the reader's own file by path."""

    name: Name
    """Names the data set in the rest of this file and in every table."""
    path: str = ""
    """Own file (h5ad, 10x h5, folder of 10x mtx, AnnData zarr); empty: the registry's entry."""
    cellxgene: str = Field("", pattern=UUID)
    """Id of a data set's version at CELLxGENE, whose h5ad is fetched; usually its counts are in
    `raw`."""
    census: CensusSlice | None = None
    """A slice of the CELLxGENE Census (docs/sources.md)."""
    sha256: str = ""
    """Of the own file or of CELLxGENE's, to pin it; empty: not checked."""
    layer: str = ""
    """Matrix holding raw counts: empty for X, `raw` for .raw.X, else a layer's name."""
    gene_ids: str = ""
    """var column of Ensembl ids; empty: the var names are symbols or Ensembl ids."""
    label: str = ""
    """obs column of cell types."""
    donor: str = ""
    """obs column of donors; empty: unknown."""
    one_donor: bool = False
    """All cells come from one donor, whom no column names."""
    batch: str = ""
    """obs column of technical batches; empty: unknown."""
    condition: str = ""
    """obs column of a condition, for splits; empty: unknown."""
    max_cells: int = Field(0, ge=0, le=10**9)
    """Draw at most this many of the cells that pass quality control; 0: all."""

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if sum(map(bool, (self.path, self.cellxgene, self.census))) > 1:
            raise ValueError("a data set has one of path, cellxgene, census")
        return self

    def spec(self, registry: Registry) -> DatasetSpec:
        """What the download and QC scripts need; what is given here goes before the registry's.

        Raises ConfigError on unknown registry names.
        """
        places = {"path", "cellxgene", "census"}
        columns = self.model_dump(exclude={"name", "sha256", *places}, exclude_defaults=True)
        artefact: dict[str, Any] = {"name": self.name, "sha256": self.sha256}
        if self.path:
            artefact |= {"kind": "local", "path": self.path}
        elif self.cellxgene:
            artefact |= {"kind": "cellxgene", "dataset": self.cellxgene}
        elif self.census:
            ontology = self.census.ontology or registry.reference("cell_ontology").source
            census = self.census.model_copy(update={"ontology": ontology})
            artefact |= {"kind": "census", "census": census}
        else:
            if self.donor:  # a column says more than the registry's word that there is one
                columns.setdefault("one_donor", False)
            return registry.dataset(self.name).model_copy(update=columns)
        data = {"name": self.name, "source": {"artefact": artefact}, **columns}
        return parse(DatasetSpec, data, f"data set {self.name!r}")


class Quality(Section):
    """Cells kept by quality control."""

    min_genes: int = Field(200, ge=0, le=20_000)
    """Genes with at least one count that a cell must have."""
    min_cells: int = Field(3, ge=0, le=1_000_000)
    """Cells a gene must be seen in to count as expressed (reported; no gene is dropped)."""
    max_mito: float = Field(0.2, ge=0.0, le=1.0)
    """Largest share of mitochondrial counts; ignored where they were not measured."""
    doublets: bool = False
    """Flag doublets with Scrublet and drop them (minutes on large sets)."""


class Corpus(Section):
    """Cells to pre-train on, labels never read. No test cell of a target that its models are
    judged on is ever in it."""

    name: Name
    """Names the corpus in every table."""
    sources: tuple[CorpusSource, ...] = ()
    """Where its cells come from."""
    part_of: str = ""
    """Instead of `sources`: draw max_cells or max_donors of this corpus, to see what its size
    matters. A part has no say in the vocabulary."""
    max_cells: int = Field(0, ge=0, le=10**9)
    """Draw at most this many cells; 0: all."""
    max_donors: int = Field(0, ge=0, le=10**6)
    """Draw at most this many donors, with all their cells; 0: all."""
    draw: int = Field(0, ge=0, le=10**6)
    """Number of the draw: parts of one draw lie within each other, those of others do not."""
    shuffle_genes: bool = False
    """Permute each gene over the cells: a control that keeps marginals and destroys programmes.
    Its name ends in `_shuffled`, and no other does: figures and tables know it by that."""
    validation: float = Field(0.05, ge=0.001, le=0.5)
    """Share of cells held back to watch pre-training."""
    vocabulary: bool = True
    """Whether its most variable genes join the vocabulary (a target's pool has a say anyway)."""
    methods: list[Name] | None = None
    """Methods trained on it; null: all."""

    @model_validator(mode="after")
    def _of_something(self) -> Self:
        if bool(self.sources) == bool(self.part_of):
            raise ValueError("a corpus has either sources or part_of")
        if self.part_of and not (self.max_cells or self.max_donors):
            raise ValueError(f"a part of {self.part_of} says max_cells or max_donors")
        if self.shuffle_genes != self.name.endswith("_shuffled"):
            raise ValueError("shuffle_genes: true and a name that ends in _shuffled go together")
        return self


class Ready(Section):
    """A model that is there already: not trained by the study, but judged as those are. It sees
    the cells in its own genes, which the study's may differ from."""

    name: Name
    """Stands where a corpus stands in every table."""
    path: str = Field(min_length=1)
    """Model folder, as `selfcell pretrain` and `selfcell import-checkpoint` write it."""
    min_found: float = Field(MIN_FOUND, ge=0.0, le=1.0)
    """Share of its genes that a target must have; cells that have fewer are refused."""

    @model_validator(mode="after")
    def _no_control(self) -> Self:
        if self.name.endswith("_shuffled"):
            raise ValueError("a name that ends in _shuffled is a corpus's of shuffled genes")
        return self


class Target(Section):
    """A data set to annotate, how it is split, and the corpora to transfer from."""

    name: Name
    """Names the target in every table."""
    dataset: Name
    """A name under `datasets`."""
    split: dict[str, Any]
    """How cells become training pool and test set: kind, test_fraction, by, within, column, train,
    test, shared, seed."""
    corpora: list[Name] = Field(min_length=1)
    """Corpora whose frozen models are evaluated here."""
    models: list[Name] = []
    """Ready models that are evaluated here."""
    fine_tune: list[Name] = []
    """Corpora whose models are fine-tuned here, and ready models."""
    negative_control: list[Name] = []
    """Corpora from which no gain is expected (said in captions)."""

    def split_spec(self) -> SplitSpec:
        """The split with its target and data set. Raises ConfigError."""
        data = {**self.split, "target": self.name, "dataset": self.dataset}
        return parse(SplitSpec, data, f"targets.{self.name}.split")


class ProteinTarget(ProteinSplit):
    """Cells whose proteins are predicted from their RNA, and the corpora to transfer from."""

    corpora: list[Name] = Field(min_length=1)
    """Corpora whose frozen models are evaluated here."""
    fine_tune: list[Name] = []
    """Corpora whose models (`fine_tuning.methods`) are fine-tuned here, beside scratch."""

    def split_spec(self) -> ProteinSplit:
        """What its split depends on."""
        return ProteinSplit(**self.model_dump(exclude={"corpora", "fine_tune"}))


class Protein(Section):
    """Cross-modality prediction, RNA to protein; leave the section out to do without it."""

    targets: list[ProteinTarget] = Field(min_length=1)
    """Each with a name of its own, also among annotation targets."""
    normalisation: Normalisation = "clr"
    """Of the proteins. clr: log1p counts less their mean over the cell's proteins, which cancels
    the depth of staining. log1p: as in the paper."""
    tuning: ProteinTuning = ProteinTuning()

    @model_validator(mode="after")
    def _tuned_within(self) -> Self:
        """Fine-tuning names regimes and draws that its targets have."""
        tuned = [target for target in self.targets if target.fine_tune]
        known = {str(n) for target in tuned for n in target.n_train}
        for regime in map(str, self.tuning.n_train if tuned else []):
            if regime not in known:
                raise ValueError(f"tuning.n_train: unknown {regime!r}; {nearest(regime, known)}")
        for target in tuned:
            if self.tuning.draws > target.draws:
                where = f"tuning.draws: {self.tuning.draws} is outside [1, {target.draws}]"
                raise ValueError(f"{where} (draws of {target.name})")
            if not {str(n) for n in target.n_train} & set(map(str, self.tuning.n_train)):
                raise ValueError(f"tuning.n_train: none is a regime of {target.name}")
        return self


class GeneSets(Section):
    """A collection of gene sets for programme masks."""

    name: Name
    """The registry's name (msigdb_c8, msigdb_tft, ...) or your own."""
    path: str = ""
    """Your own GMT file of symbols; empty: the registry's."""


class Lineage(Section):
    """Scores by the Cell Ontology, beside the plain ones."""

    scores: bool = True
    """Whether to compute them (the ontology lies in a package of 98 MB)."""
    ontology: str = ""
    """Your own ontology (.obo, .json or .json.zst; OBO Graphs too); empty: the registry's."""
    labels: str = ""
    """Your own JSON of ontology ids: data set -> label -> id; empty: resources/label_to_cl.json."""


class Method(Section):
    """A pretext task under a name of its own, so that one task can stand in several variants."""

    name: Name
    """Names the arm in every table and figure."""
    method: str = ""
    """Pretext task (a key of METHODS); empty: the name."""
    params: dict[str, Any] = {}
    """Hyper-parameters; what is left out takes the default in the method's `Params`."""

    @property
    def task(self) -> str:
        """The key of METHODS."""
        return self.method or self.name


class Deviating(NamedTuple):
    """A method with one behaviour of the released code, or with all but one."""

    method: Method
    deviation: Deviation


def deviating(methods: Mapping[str, Method], protocol: str) -> dict[str, Deviating]:
    """Every difference of the released code as a method of its own, named after both; of the
    methods that stand under their task's name. The difference alone under protocol intended, all
    but it under protocol published."""
    found = {}
    for deviation in DEVIATIONS:
        for task in deviation.methods:
            if task in methods:
                name = deviation.arm(task, protocol)
                own = Method(name=name, method=task, params=methods[task].params)
                found[name] = Deviating(own, deviation)
    return found
