"""What every part of the configuration has in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ConfigDict, model_validator

from selfcell.data.registry import Frozen


class Section(Frozen):
    """A part of the configuration; numbers out of range are refused with the whole range."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    @model_validator(mode="before")
    @classmethod
    def _in_range(cls, data: Any) -> Any:
        for key, value in data.items() if isinstance(data, Mapping) else ():
            bounds = {
                name: getattr(item, name)
                for item in getattr(cls.model_fields.get(key), "metadata", ())
                for name in ("ge", "le")
                if hasattr(item, name)
            }
            low, high = bounds.get("ge", float("-inf")), bounds.get("le", float("inf"))
            number = isinstance(value, (int, float)) and not isinstance(value, bool)
            if number and not low <= value <= high:
                raise ValueError(f"{key}: {value} is outside [{low}, {high}]")
        return data
