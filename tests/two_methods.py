"""The default study's configuration with two methods, for tests of the jobs that it makes."""

from __future__ import annotations

from typing import Any

import yaml

from tests.tree import REPO


def configuration() -> dict[str, Any]:
    """Of the default study, whatever else it holds; integration and unseen data are left out."""
    data = yaml.safe_load((REPO / "config.yaml").read_text())
    data |= {"integration": None, "unseen": None, "types": {}}
    data["methods"] = [
        {"name": "random_mask", "params": {"rate": 0.5}},
        {"name": "light_mask", "method": "random_mask", "params": {"rate": 0.1}},
    ]
    for corpus in data["corpora"]:
        corpus["methods"] = None if corpus["name"] == "kang_ctrl" else ["random_mask"]
    return data
