"""YAML in which every key of a mapping stands once: the reader of what people write by hand."""

from __future__ import annotations

from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from selfcell.errors import ConfigError


class Once(yaml.SafeLoader):
    """PyYAML's safe loader, which would let the last of several values win in silence."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """What a mapping holds. Raises YAMLError: a key stands in it a second time."""
        seen: set[str] = set()
        for key, _ in node.value:
            if key.tag == "tag:yaml.org,2002:merge" or not isinstance(key, yaml.ScalarNode):
                continue
            if key.value in seen:
                line = key.start_mark.line + 1
                raise yaml.YAMLError(f"key {key.value!r} stands a second time in line {line}")
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def read(path: Path | str) -> Any:
    """What a file holds. Raises ConfigError: no YAML, or a key twice."""
    try:
        return yaml.load(Path(path).read_text(encoding="utf-8"), Once)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigError(
            f"{path} is not YAML: {error}", "YAML text in UTF-8, a key once"
        ) from error
