"""selfcell: when does self-supervised pre-training help in single-cell genomics?

For one's own cells: `load` a model folder, or `pretrain` one; then `embed` and `annotate`.
`compare` runs the study on them.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0"
__all__ = ["__version__", "compare", "load", "pretrain"]

HOMES = {"compare": "comparison.run", "load": "api", "pretrain": "pretraining"}


def __getattr__(name: str) -> Any:
    # By name and late: every job imports this file, and is not to load, nor count as its code,
    # what only a user of the package needs.
    if name in HOMES:
        return getattr(import_module(f"selfcell.{HOMES[name]}"), name)
    raise AttributeError(f"module 'selfcell' has no attribute {name!r}")
