"""Simple rivals and controls. Adding one: a file in this folder, a line in `BASELINES`, a test.

`BASELINES` names modules instead of importing them. Each holds `arms(inputs)`, a generator of
`base.Embedded` (judged by the same readouts as a frozen network) or `base.Direct` (predicts by
itself). Controls are ordinary entries: `perfect` and `majority` bound every metric.
"""

from __future__ import annotations

BASELINES: dict[str, str] = {
    "pca": "selfcell.baselines.pca",
    "pca_refitted": "selfcell.baselines.pca_refitted",
    "logreg": "selfcell.baselines.logreg",
    "self_training": "selfcell.baselines.self_training",
    "supervised": "selfcell.baselines.supervised",
    "random_encoder": "selfcell.baselines.random_encoder",
    "random_projection": "selfcell.baselines.random_projection",
    "random_embedding": "selfcell.baselines.random_embedding",
    "majority": "selfcell.baselines.majority",
    "permuted": "selfcell.baselines.permuted",
    "perfect": "selfcell.baselines.perfect",
}
