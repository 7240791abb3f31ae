"""What every part of the configuration has in common."""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from typing import Any, get_args

from pydantic import ConfigDict, model_validator

from selfcell.data.registry import Frozen

BOUNDS = {"ge": operator.ge, "gt": operator.gt, "le": operator.le, "lt": operator.lt}


class Section(Frozen):
    """A part of the configuration; numbers out of range are refused with the whole range."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    @model_validator(mode="before")
    @classmethod
    def _in_range(cls, data: Any) -> Any:
        for key, value in data.items() if isinstance(data, Mapping) else ():
            if (field := cls.model_fields.get(key)) is None:
                continue
            _check(key, value, field.metadata)
            for part in get_args(field.annotation) if isinstance(value, list) else ():
                for place, item in enumerate(value):
                    _check(f"{key}.{place}", item, _metadata(part))
        return data


def _metadata(annotation: Any) -> list[Any]:
    """What `Annotated[..., Field(...)]` says of the items of a list."""
    parts = getattr(annotation, "__metadata__", ())
    return [item for part in parts for item in getattr(part, "metadata", [part])]


def _check(place: str, value: Any, metadata: Sequence[Any]) -> None:
    """Raise ValueError for a number outside the bounds of a field or of its items, and for true
    or false (YAML's yes, no, on, off) where a number belongs."""
    bound = {name: getattr(m, name) for m in metadata for name in BOUNDS if hasattr(m, name)}
    if not isinstance(value, (int, float)) or not bound:
        return
    if isinstance(value, bool):
        raise ValueError(f"{place}: {str(value).lower()} is no number")
    inside = all(BOUNDS[name](value, end) for name, end in bound.items())
    if not inside:
        low, high = (
            bound.get("ge", bound.get("gt", "-inf")),
            bound.get("le", bound.get("lt", "inf")),
        )
        left, right = "[" if "ge" in bound else "(", "]" if "le" in bound else ")"
        raise ValueError(f"{place}: {value} is outside {left}{low}, {high}{right}")
