"""What a reader wants of a split file without its cells."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from selfcell.errors import DataError


def split_summary(split: Path) -> dict[str, Any]:
    """Types with their numbers, who is out, what both sides share. Raises DataError: no file."""
    if not split.is_file():
        raise DataError(f"there is no {split}", "a finished study", "make study")
    whole = json.loads(split.read_text(encoding="utf-8"))
    pool, test = Counter(whole["pool_labels"]), Counter(whole["test_labels"])
    return {
        "target": whole["target"],
        "dataset": whole["dataset"],
        "hash": whole["hash"],
        "types": {name: {"pool": pool[name], "test": test[name]} for name in whole["classes"]},
        "left_out": whole["left_out"],
        "shared": whole["shared"],
        "unknown": whole["unknown"],
        "test_donors": sorted(set(whole["test_donors"])),
    }
