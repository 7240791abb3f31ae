"""Which number format a run computes in."""

from __future__ import annotations

from selfcell.errors import ConfigError
from selfcell.provenance import cpu_flags


def use_bf16(precision: str) -> bool:
    """Whether to run in bfloat16 autocast.

    Args:
        precision: "float32", "bfloat16", or "auto": bfloat16 where the processor computes in it
            (avx512_bf16 or amx_bf16), float32 elsewhere, where it would be emulated and slow.
    """
    if precision not in ("auto", "float32", "bfloat16"):
        raise ConfigError(f"precision {precision!r}", "one of auto, float32, bfloat16")
    if precision == "auto":
        return bool(cpu_flags() & {"avx512_bf16", "amx_bf16"})
    return precision == "bfloat16"
