"""The report of a made-up finished study. Nothing in it is a result."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd

from selfcell.figures import FIGURES
from selfcell.report.about import about
from selfcell.report.page import render
from selfcell.stats.health import HEALTH
from tests.released import finished
from tests.tree import REPO

CAPTIONS = [REPO / f"workflow/report/{name}.rst" for name in FIGURES]
MODELS = (("random_mask", 0, "ok", 0.2), ("random_mask", 1, "not_learned", 0.01))


def study(folder: Path) -> tuple[dict[str, Any], Path]:
    """Write a finished study with a failed run and a picture a figure; what its configuration
    says, and its results folder."""
    from matplotlib.image import imsave

    jobs, _, results = finished(folder)
    row = {"study": "made", "corpus": "kang_ctrl", "gate": "skill", "threshold": 0.05}
    row |= dict.fromkeys(("effective_rank", "spread", "difficulty", "alignment", "uniformity"), 1.0)
    row["gene_sets"] = "90 of 100 programmes kept"
    models = [
        {**row, "method": method, "seed": seed, "status": status, "value": value}
        for method, seed, status, value in MODELS
    ]
    HEALTH.write(pd.DataFrame(models)[HEALTH.names], results / "health.parquet")
    for number, name in enumerate(FIGURES):
        ramp = np.linspace(0, 1, 900 * 600).reshape(600, 900) ** (1 + number)
        imsave(results / f"figures/{name}.png", ramp)
    return json.loads(json.dumps(about(jobs))), results


@cache
def page() -> str:
    """The report of that study, made once."""
    with TemporaryDirectory() as folder:
        facts, results = study(Path(folder))
        return render(facts, results, CAPTIONS)
