"""Where a run computes, and in which number format."""

from __future__ import annotations

import torch

from selfcell.errors import ConfigError
from selfcell.provenance import cpu_flags


def choose_device(asked: str) -> torch.device:
    """The device that networks are trained on: the processor, or this process's GPU.

    Args:
        asked: "cpu", "cuda", or "auto": a GPU where torch sees one, the processor elsewhere.

    Raises ConfigError for another word, or a GPU that is not there.
    """
    if asked not in ("auto", "cpu", "cuda"):
        raise ConfigError(f"device {asked!r}", "one of auto, cpu, cuda")
    there = torch.cuda.is_available()
    if asked == "cuda" and not there:
        raise ConfigError(
            "device 'cuda', but torch sees no GPU",
            "a GPU, its driver, and a torch that is built for it (envs/gpu.yaml)",
            "set device to cpu or auto",
        )
    return torch.device("cuda" if there and asked != "cpu" else "cpu")


def device_name(device: torch.device) -> str:
    """What provenance says of it: cpu, or the GPU's model."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def use_bf16(precision: str, device: torch.device) -> bool:
    """Whether to run in bfloat16 autocast.

    Args:
        precision: "float32", "bfloat16", or "auto": bfloat16 where the device computes in it (a
            processor with avx512_bf16 or amx_bf16; GPUs since 2020), float32 elsewhere, where it
            would be emulated and slow.
    """
    if precision not in ("auto", "float32", "bfloat16"):
        raise ConfigError(f"precision {precision!r}", "one of auto, float32, bfloat16")
    if precision != "auto":
        return precision == "bfloat16"
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return bool(cpu_flags() & {"avx512_bf16", "amx_bf16"})
