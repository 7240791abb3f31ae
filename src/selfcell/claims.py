"""The claims of the paper as data: `resources/claims.yaml`, checked.

A claim says what was published, which of the published runs it can be computed from again, and
which of this project's comparisons is its analogue. What the claims come to stands in
`selfcell.stats.claims`.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated, Literal, Self

import yaml
from pydantic import Field, model_validator

from selfcell.data.parse import parse
from selfcell.data.section import Section
from selfcell.errors import ConfigError
from selfcell.specs import Name

Words = Annotated[str, Field(min_length=1)]
PerType = Literal["perclass_HLCA", "perclass_PBMC", "perclass_TabulaSapiens"]
RunTable = Literal["classification_runs", "multiomics_runs", "reconstruction_runs"]


class Printed(Section):
    """One arm as the paper prints it."""

    arm: Words
    """What was trained, in words."""
    mean: float
    """Mean of the metric."""
    sd: float | None = Field(None, ge=0.0, le=1e9)
    """Standard deviation as printed; none where one run or one number is all there is."""
    n: int = Field(1, ge=1, le=1000)
    """Runs behind it."""
    ddof: Literal[0, 1] = 1
    """0: the paper divided by n. Converted to n - 1 before anything is computed."""


class Published(Section):
    """The two arms of a claim; its effect is a minus b."""

    a: Printed
    """The arm that the claim is about."""
    b: Printed
    """What it is held against."""


class Collapse(Section):
    """A run is counted as collapsed if a score lies below a bound; it is never left out."""

    column: Words
    """Of the run table."""
    below: float
    """Bound."""


class Runs(Section):
    """Published runs that a claim is computed from again."""

    table: RunTable
    """A table of `stats.published.TABLES`."""
    where: dict[str, list[str]] = {}
    """Values that columns must have."""
    value: Words
    """Column of the metric."""
    a: Words
    """Group of the arm that the claim is about."""
    b: Words
    """Group that it is held against."""
    average_over: str = ""
    """Column over whose values a run is averaged first: one network on several data sets."""
    collapsed: Collapse | None = None
    """What counts as a collapsed run."""


class Contrast(Section):
    """A row of a study's contrast table."""

    target: Name
    """Of the study."""
    corpus: Name
    """Of the study."""
    name: Words
    """Of the contrast."""
    reversed: bool = False
    """The contrast is b minus a of the claim."""


class Scores(Section):
    """A difference computed from the score table: rows of a minus rows of b."""

    target: Name
    """Of the study."""
    where: dict[str, str]
    """Values that columns must have on both sides; `task` and `metric` among them."""
    a: dict[str, str]
    """Values of the arm that the claim is about."""
    b: dict[str, str]
    """Values of the arm that it is held against; without seeds it meets every seed of a."""
    differs: str = ""
    """How this analogue differs from what was published, in place of the claim's `differs`."""

    @model_validator(mode="after")
    def _complete(self) -> Self:
        needed = {"where": {"task", "metric"}, "a": {"method"}, "b": {"method"}}
        for part, keys in needed.items():
            missing = sorted(keys - set(getattr(self, part)))
            if missing:
                raise ValueError(f"{part}: {', '.join(missing)} is missing")
        return self


class Types(Section):
    """The change of each cell type, against how rare it is."""

    target: Name
    """Of the study."""
    corpus: Name
    """Of the study."""
    comparison: Words
    """Of the changes by type."""


class Claim(Section):
    """One claim."""

    id: Name
    """Names the claim in every table."""
    short: Words
    """A few words, for the figure."""
    text: Words
    """The claim in our words."""
    group: Literal["fine-tuned", "frozen", "types", "tasks"]
    """Panel of the figure: claims of one group share an axis."""
    metric: Words
    """What is measured, in words."""
    direction: Literal["up", "none"]
    """up: a is claimed to be above b. none: no difference is claimed."""
    margin: float = Field(0.02, ge=0.0, le=1.0)
    """Equivalence margin in units of the metric; 0: none is claimed to be too small to matter."""
    source: Words
    """Where the published numbers stand."""
    published: Published | None = None
    """None where the paper shows a figure and prints no number."""
    runs: Runs | None = None
    """None where no run was published."""
    per_type: PerType | None = None
    """In place of runs: a table of one run of each arm, by cell type."""
    caveat: str = ""
    """What the published number does not show."""
    contrasts: list[Contrast] = []
    """Analogue: the first of these that a study ran."""
    scores: list[Scores] = []
    """Analogue, where the contrast table holds none: the first whose target a study has."""
    types: Types | None = None
    """Analogue, of a claim about cell types."""
    differs: str = ""
    """How the analogue differs from the claim."""
    not_testable: str = ""
    """Why there is no analogue, and what would be needed."""

    @model_validator(mode="after")
    def _one_analogue(self) -> Self:
        named = ("contrasts", "scores", "types", "not_testable")
        given = [key for key in named if getattr(self, key)]
        if len(given) != 1:
            raise ValueError(f"{given or 'nothing'} given; one of {', '.join(named)} is needed")
        if bool(self.differs) == bool(self.not_testable):
            raise ValueError("differs: needed with an analogue, and only there")
        if self.runs and self.per_type:
            raise ValueError("runs, per_type: one of them")
        return self


class Claims(Section):
    """The file."""

    claims: list[Claim] = Field(min_length=1)
    """In the order in which they are shown."""

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        twice = [name for name, n in Counter(c.id for c in self.claims).items() if n > 1]
        if twice:
            raise ValueError(f"claims given twice: {', '.join(twice)}")
        return self


def load(path: Path | str) -> list[Claim]:
    """Read the claims. Raises ConfigError on anything that is not such a file."""
    try:
        data = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise ConfigError(f"{path}: {error}", "a YAML file of claims") from error
    return parse(Claims, data, str(path)).claims
