"""Table of the label-free index: the variance of targets that corpora share."""

from __future__ import annotations

from selfcell.stats.schema import Column, Table

SHARED = Table(
    "shared variance",
    (
        *(Column(name) for name in ("target", "corpus")),
        *(Column(name, "number", minimum=0) for name in ("by_corpus", "by_own", "shared_variance")),
        *(Column(name, "integer", minimum=1) for name in ("axes", "n_corpus", "n_own", "n_test")),
    ),
    key=("target", "corpus"),
)
