"""Libraries that only some studies import: what brings them, and are they there?"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec

RIVALS = {"harmony": ("harmonypy", "integration"), "scvi": ("scvi", "scvi")}
"""By rival of data integration, the module it needs and the extra that brings it. A rival without
its module is left out; a job without another module stops."""


def lacking(wanted: Mapping[str, str]) -> dict[str, str]:
    """Of modules with the extra that brings each, those that are not installed."""
    return {module: extra for module, extra in wanted.items() if find_spec(module) is None}
