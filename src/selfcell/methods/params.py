"""Hyper-parameters of a method: a dataclass whose fields carry a range and a description.

The configuration is checked without importing torch, so a method's `Params` class must stand on
the standard library and `param` alone: `schema_of` evaluates that one class out of the method's
file.
"""

from __future__ import annotations

import ast
import dataclasses
import importlib.util
import math
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from selfcell.errors import ConfigError


def param(
    default: Any,
    doc: str,
    low: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] = (),
) -> Any:
    """A field with a default, a description and the values it may take (bounds inclusive)."""
    metadata = {"doc": doc, "low": low, "high": high, "choices": choices}
    return dataclasses.field(default=default, metadata=metadata)


def read(schema: type, values: Mapping[str, Any], where: str) -> Any:
    """Make a `schema` instance from a mapping.

    Raises:
        ConfigError: an unknown key (naming the nearest), a wrong type, a value out of range, values
            that do not go together.
    """
    fields = {field.name: field for field in dataclasses.fields(schema)}
    for key, value in values.items():
        if key not in fields:
            near = get_close_matches(key, fields, n=1, cutoff=0.0)
            raise ConfigError(
                f"{where}: unknown parameter {key!r}",
                f"one of {', '.join(sorted(fields))}",
                f"did you mean {near[0]!r}?" if near else "",
            )
        _check(fields[key], value, f"{where}.{key}")
    try:
        return schema(**values)
    except ValueError as error:  # of fields that do not go together
        raise ConfigError(where, str(error)) from error


def _check(field: dataclasses.Field[Any], value: Any, where: str) -> None:
    kind = type(field.default)
    fits = isinstance(value, (int, float)) if kind is float else isinstance(value, kind)
    fits = fits and (not isinstance(value, float) or math.isfinite(value))
    if not fits or (isinstance(value, bool) and kind is not bool):
        raise ConfigError(f"{where}: {value!r}", f"a {kind.__name__}")
    choices = field.metadata["choices"]
    if choices and value not in choices:
        raise ConfigError(f"{where}: {value!r}", f"one of {', '.join(choices)}")
    low, high = field.metadata["low"], field.metadata["high"]
    below, above = low is not None and value < low, high is not None and value > high
    if below or above:
        doc = field.metadata["doc"]
        raise ConfigError(f"{where}: {value!r}", f"a value in [{low}, {high}] ({doc})")


def schema_of(module: str) -> type:
    """The `Params` class of a method's module, without importing that module.

    Raises:
        ConfigError: the module does not exist or holds no class `Params`.
    """
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise ConfigError(f"no module {module!r}", "a file in selfcell/methods")
    tree = ast.parse(Path(spec.origin).read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and node.name == "Params":
            scope: dict[str, Any] = {"dataclass": dataclass, "param": param, "__name__": module}
            code = compile(ast.Module([node], []), spec.origin, "exec", dont_inherit=True)
            exec(code, scope)  # one class of our own source
            found: type = scope["Params"]
            return found
    raise ConfigError(f"{module} holds no class Params", "a dataclass of its hyper-parameters")
