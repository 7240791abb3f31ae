"""What the configuration may say of splits, labels, corpora and the vocabulary.

Light to import: the configuration is checked without NumPy or torch.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Annotated, Literal, Self, TypeVar

from pydantic import BaseModel, Field, model_validator

from selfcell.data.parse import parse
from selfcell.data.registry import NAME
from selfcell.data.section import Section
from selfcell.errors import ConfigError

Column = Literal["donor", "batch", "condition"]
MIN_FOUND = 0.5
"""Share of a model's genes that a file must hold: with half of its input missing a network sees
cells unlike any it was trained on."""
Where = dict[Column, Annotated[tuple[str, ...], Field(min_length=1)]]
Regime = int | Literal["all"]


class SplitSpec(Section):
    """How the cells of a target are divided into a training pool and a test set."""

    target: str = Field(pattern=NAME)
    """Names the split; several targets may come from one data set."""
    dataset: str = Field(pattern=NAME)
    """The data set its cells come from."""
    kind: Literal["fraction", "column", "where"]
    """`fraction` draws the test set at random, `column` gives sides by a column's values,
    `where` by values of several columns."""
    test_fraction: float = Field(default=0.5, gt=0, lt=1)
    """Share of cells (or of donors) in the test set, for `fraction`."""
    by: Literal["cell", "donor"] = "cell"
    """For `fraction`, what is drawn: cells, stratified by label, or whole donors."""
    within: Where = Field(default_factory=dict)
    """For `fraction`, values by column, all of which must hold; other cells are not used. So a
    target may be one part of a large data set."""
    column: Column | None = None
    """For `column`, the column whose values give the sides."""
    train: tuple[str, ...] | Where = ()
    """For `column` a list of values; for `where` a mapping from column to values, all of which
    must hold. Cells on neither side are not used."""
    test: tuple[str, ...] | Where = ()
    """For `column` a list of values; for `where` a mapping from column to values, all of which
    must hold. Cells on neither side are not used."""
    shared: tuple[Column, ...] = ()
    """Columns whose values may stand on both sides; the audit refuses shared donors that are not
    declared here."""
    seed: int = Field(default=0, ge=0)
    """Of the draw of `fraction` and of the label draws."""

    @model_validator(mode="after")
    def _sides(self) -> Self:
        mapping = isinstance(self.train, dict), isinstance(self.test, dict)
        if self.kind == "fraction" and (self.column or self.train or self.test):
            raise ValueError("kind fraction takes no column, train or test")
        if self.kind != "fraction" and self.within:
            raise ValueError(f"kind {self.kind} takes no within: its sides say which cells")
        if self.kind == "column" and (not self.column or any(mapping)):
            raise ValueError("kind column needs a column, and train and test as lists of values")
        if self.kind == "where" and (self.column or not all(mapping)):
            raise ValueError("kind where needs train and test as {column: [values]}, no column")
        if self.kind != "fraction" and not (self.train and self.test):
            raise ValueError(f"kind {self.kind} needs values for both train and test")
        both = sorted(set(self.train) & set(self.test)) if self.kind == "column" else []
        if both or (self.kind == "where" and self.train == self.test):
            got = f"{both[0]!r} stands" if both else "the same values stand"
            raise ValueError(f"{got} in both train and test; a cell is on one side")
        return self

    def sides(self) -> tuple[Where, Where]:
        """Training and test side as `{column: values}`; empty for `fraction`."""
        if isinstance(self.train, dict) and isinstance(self.test, dict):
            return self.train, self.test
        if self.column is None:
            return {}, {}
        return {self.column: tuple(self.train)}, {self.column: tuple(self.test)}


class LabelSpec(Section):
    """How many labels an arm is given, and which types count."""

    regimes: tuple[Regime, ...] = (3, 10, 30, "all")
    """Labels per type, ascending; "all" is 80 % of each type's pool."""
    draws: int = Field(default=10, ge=1)
    """Label draws per regime, nested across regimes."""
    min_test: int = Field(default=15, ge=1)
    """A type with fewer test cells is left out for every arm."""
    min_train: int = Field(default=3, ge=1)
    """A type with fewer cells in the training pool is left out for every arm."""

    @model_validator(mode="after")
    def _ascending(self) -> Self:
        sizes = [float("inf") if n == "all" else n for n in self.regimes]
        if not sizes or sizes != sorted(set(sizes)) or sizes[0] < 1:
            raise ValueError("regimes must be distinct, >= 1 and ascending, 'all' last")
        return self


class CorpusSource(Section):
    """Cells of one data set in a corpus."""

    dataset: str = Field(pattern=NAME)
    """The data set."""
    where: Where = Field(default_factory=dict)
    """Values by column, all of which must hold; empty: every cell. Never by label."""
    pool_of: str = ""
    """Instead of `where`: the training pool of this target, without its labels."""

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.where and self.pool_of:
            raise ValueError("a corpus source takes where or pool_of, not both")
        return self


class CorpusSpec(Section):
    """The unlabelled cells that a network is pre-trained on."""

    name: str = Field(pattern=NAME)
    """Names the corpus."""
    sources: tuple[CorpusSource, ...] = Field(min_length=1)
    """Where its cells come from."""
    targets: tuple[str, ...] = ()
    """The targets it is evaluated on; their test cells are never in it."""
    exclude: bool = True
    """Drop those test cells (counted); if false, selecting one is an error."""
    max_cells: int = Field(default=0, ge=0)
    """Keep this many cells, chosen at random; 0: all."""
    max_donors: int = Field(default=0, ge=0)
    """Keep the cells of this many donors, chosen at random, before `max_cells`; 0: all."""
    draw: int = Field(default=0, ge=0)
    """Number of that choice; choices of one number are nested."""
    part_of: str = ""
    """The corpus that has all of its sources' cells; empty: this one."""
    shuffle_genes: bool = False
    """Control: permute each gene's counts across cells, independently."""
    validation: float = Field(default=0.05, gt=0, le=0.5)
    """Share of cells held back to watch pre-training."""
    vocabulary: bool = True
    """Whether its cells take part in choosing the vocabulary."""


class VocabularySpec(Section):
    """Which genes a study works on."""

    corpus_genes: int = Field(default=1500, ge=0)
    """Most variable genes of each corpus."""
    target_genes: int = Field(default=1000, ge=0)
    """Most variable genes of each target's training pool."""
    transcription_factors: bool = True
    """Add every factor that has a set of targets in MSigDB C3:TFT."""


Model = TypeVar("Model", bound=BaseModel)


def read_spec(model: type[Model], text: str, option: str) -> Model:
    """Read a JSON object given as a command-line option. Raises ConfigError."""
    return parse(model, _json(text, option), option)


def read_specs(model: type[Model], text: str, option: str) -> tuple[Model, ...]:
    """Read a JSON list of objects given as a command-line option. Raises ConfigError."""
    items = _json(text, option)
    if not isinstance(items, list):
        raise ConfigError(f"{option} holds no list", "a JSON list of objects")
    return tuple(parse(model, item, f"{option}[{i}]") for i, item in enumerate(items))


def named_paths(values: Sequence[str], option: str) -> dict[str, str]:
    """Split repeated `NAME=path` options. Raises ConfigError on anything else."""
    pairs = dict(value.partition("=")[::2] for value in values)
    if not all(pairs.values()) or len(pairs) != len(values):
        raise ConfigError(f"{option} {' '.join(values)}", "NAME=path, each name once")
    return pairs


def _json(text: str, option: str) -> object:
    try:
        value: object = json.loads(text)
    except json.JSONDecodeError as error:
        raise ConfigError(f"{option} is not JSON: {error}", "one JSON value") from error
    return value
