"""Reading what a user wrote: every fault in one message, with its place and what was meant."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, TypeVar

from pydantic import BaseModel, ValidationError

from selfcell.errors import ConfigError

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

Model = TypeVar("Model", bound=BaseModel)


def nearest(name: str, options: Iterable[str]) -> str:
    """Say what could have been meant: the nearest option where one is near, else all of them."""
    names = sorted(options)
    lower = {option.lower(): option for option in names}
    near = difflib.get_close_matches(name.lower(), lower, n=1, cutoff=0.6)
    if near:
        return f"did you mean {lower[near[0]]!r}?"
    return "there are: " + (", ".join(names) if names else "none")


def parse(model: type[Model], data: object, where: str) -> Model:
    """Validate `data`; every fault goes, with its place, into one ConfigError."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        faults, found = [], error.errors()
        for fault in found:
            # A list whose items were all refused is also said to be too short.
            within = [other["loc"] for other in found if len(other["loc"]) > len(fault["loc"])]
            if fault["type"] == "too_short" and any(
                loc[: len(fault["loc"])] == fault["loc"] for loc in within
            ):
                continue
            place = ".".join(str(part) for part in fault["loc"] if part != "[key]")
            said = _said(fault)
            faults.append(f"{place}: {said}" if place else said)
        raise ConfigError(f"{where}: " + "; ".join(faults)) from error


def _said(fault: ErrorDetails) -> str:
    """A fault in our words: no pydantic prefix; a misspelt choice names the nearest one."""
    if fault["type"] == "value_error":
        return str(fault["ctx"]["error"])
    if fault["type"] in ("list_type", "tuple_type"):
        return f"{fault['input']!r} is no list; remedy: [{fault['input']}]"
    if fault["type"] == "literal_error" and isinstance(fault["input"], str):
        options = re.findall("'([^']*)'", fault["ctx"]["expected"])
        return f"unknown {fault['input']!r}; {nearest(fault['input'], options)}"
    return fault["msg"]


def parse_json(model: type[Model], text: str, where: str) -> Model:
    """Validate JSON text, as command lines carry it; raises ConfigError."""
    try:
        return parse(model, json.loads(text), where)
    except json.JSONDecodeError as error:
        raise ConfigError(f"{where} is not JSON: {error}", "one JSON object") from error
