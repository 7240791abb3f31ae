"""Seeds and NumPy generators from an explicit key; apart from `rng`, so that jobs without training
need not import torch."""

from __future__ import annotations

import hashlib

import numpy as np


def derive(*key: object) -> int:
    """Hash a key of numbers and strings to a seed in [0, 2**63)."""
    text = "\x1f".join(f"{type(part).__name__}:{part}" for part in key)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def generator(*key: object) -> np.random.Generator:
    """NumPy generator that depends on the key alone."""
    return np.random.default_rng(derive(*key))
