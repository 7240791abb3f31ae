"""What `train.py` trains on: a vocabulary, gene sets, and our methods on them."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np

from selfcell.keys import generator
from selfcell.methods import METHODS
from selfcell.methods.base import Context, Method

PROGRAMMES, FACTORS = 700, 600


def contexts(genes: int) -> dict[str, Context]:
    """Made-up gene sets of the sizes of MSigDB's C8 and C3:TFT, on a full vocabulary."""
    rng = generator("benchmark", genes)
    symbols = [f"G{index}" for index in range(genes)]
    sizes = np.clip(rng.lognormal(5.0, 0.8, PROGRAMMES), 10, 2000).astype(int)
    of_c8 = int(genes * 0.85)
    sets = {
        f"P{i}": [symbols[g] for g in rng.choice(of_c8, min(size, of_c8), replace=False)]
        for i, size in enumerate(sizes)
    }
    targets = {
        f"{symbols[i]}_TARGET_GENES": [symbols[g] for g in rng.choice(genes, genes // 60)]
        for i in range(FACTORS)
    }
    return {
        kind: Context(
            symbols, symbols, np.ones(genes, bool), np.full(genes, 0.1, np.float32),
            np.full(genes, 0.08, np.float32), chosen, (512, 512, 256, 256, 64), "selu", 0.1, 0,
        )
        for kind, chosen in (("programmes", sets), ("factors", targets))
    }  # fmt: skip


def build(name: str, known: dict[str, Context], **changed: Any) -> Method:
    """One of our methods with its defaults, but for what is `changed`."""
    module = importlib.import_module(METHODS[name])
    kind = "factors" if name == "gp_to_tf" else "programmes"
    method: Method = module.build(module.Params(**changed), known[kind])
    return method
