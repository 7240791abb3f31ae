"""The released code's behaviours through the real workflow: all together, and one at a time."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from selfcell.stats import table
from selfcell.stats.lineage import METRICS
from tests.e2e.project import SMOKE, Project
from tests.metrics.factory import write_json

pytestmark = pytest.mark.slow


MAE, BYOL = {"name": "random_mask"}, {"name": "byol", "params": {"hidden": 64}}


def run(checkout: Path, wanted: str, methods: list[dict[str, Any]], **changes: Any) -> Path:
    """Run a changed smoke study up to one of its files; its results folder."""
    study = yaml.safe_load((checkout / SMOKE).read_text()) | changes
    study["pretraining"]["steps"] = 20
    study["methods"] = methods
    (checkout / "changed.yaml").write_text(yaml.safe_dump(study))
    results = f"results/{study['study']}"
    Project(checkout, "changed.yaml").run(f"{results}/{wanted}")
    return checkout / results


def test_the_published_protocol(checkout: Path) -> None:
    results = run(checkout, "scores.parquet", [MAE, BYOL], study="published", protocol="published")
    assert set(table.read(results / "scores.parquet").protocol) == {"published"}
    model = json.loads((results / "models/baron_pool/byol/s0/card.json").read_text())["spec"]
    assert (model["params"]["moves"], model["params"]["hook_layer"]) == (False, -2)
    tuned = results / "runs/finetune/baron/baron_pool/random_mask/s0/card.json"
    network = json.loads(tuned.read_text())["spec"]["network"]
    assert (network["activation"], network["dropout"]) == ("relu", 0.0)


def test_one_difference_at_a_time_and_lineage_by_an_own_ontology(checkout: Path) -> None:
    write_json(checkout / "own.json")
    labels = {"baron": {"beta": "T:b", "alpha": "T:c", "delta": "T:d"}}
    (checkout / "labels.json").write_text(json.dumps(labels))
    results = run(
        checkout,
        "contrasts.parquet",
        [MAE],
        study="one_by_one",
        deviations={"corpora": ["baron_pool"]},
        lineage={"ontology": "own.json", "labels": "labels.json"},
    )
    scores = table.read(results / "scores.parquet")
    changed = scores[scores.method.str.contains("-")]
    names = ("sigmoid", "average_all", "rescale", "relu", "no_dropout")
    assert set(changed.method) == {f"random_mask-{name}" for name in names}
    assert set(changed.protocol) == {"mixed"}
    tuned = changed[changed["mode"] == "fine-tuned"].method
    assert set(tuned) == {"random_mask-relu", "random_mask-no_dropout"}
    assert not (results / "models/baron_pool/random_mask-relu").exists()  # the same weights
    contrasts = pd.read_parquet(results / "contrasts.parquet")
    assert len(contrasts)
    assert not contrasts.arm_a.str.contains("-sigmoid|-relu|-hook").any()
    assert set(METRICS) <= set(scores.metric)
    terms = json.loads((results / "lineage.json").read_text())["baron"]
    health = pd.read_parquet(results / "health.parquet")  # of models, which relu has none of
    trained = {f"random_mask-{name}" for name in ("sigmoid", "average_all", "rescale")}
    assert set(health.method) == {"random_mask", *trained}
    assert health[["value", "threshold", "effective_rank", "difficulty"]].notna().all(axis=None)
    assert terms["terms"]["beta"] == "T:b" and "acinar" in terms["unmapped"]
