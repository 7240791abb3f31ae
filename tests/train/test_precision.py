"""Where a run computes, and in which format."""

import pytest
import torch

from selfcell.errors import ConfigError
from selfcell.train import precision
from selfcell.train.precision import choose_device, device_name, use_bf16

CPU, GPU = torch.device("cpu"), torch.device("cuda")


@pytest.mark.parametrize(
    ("asked", "there", "chosen"),
    [("auto", True, GPU), ("auto", False, CPU), ("cpu", True, CPU), ("cuda", True, GPU)],
)
def test_a_gpu_is_taken_where_it_is_asked_for_or_found(asked, there, chosen, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: there)
    assert choose_device(asked) == chosen


def test_a_gpu_that_is_not_there_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ConfigError, match=r"sees no GPU; needed: .*; remedy: set device to cpu"):
        choose_device("cuda")
    with pytest.raises(ConfigError, match="'gpu'; needed: one of auto, cpu, cuda"):
        choose_device("gpu")


def test_a_device_has_a_name(monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: f"Some {device.type} GPU")
    assert device_name(CPU) == "cpu"
    assert device_name(GPU) == "Some cuda GPU"


@pytest.mark.parametrize("able", [True, False])
def test_auto_is_what_the_device_computes_in(able, monkeypatch):
    monkeypatch.setattr(precision, "cpu_flags", lambda: {"avx512_bf16"} if able else {"avx2"})
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: not able)
    assert use_bf16("auto", CPU) is able
    assert use_bf16("auto", GPU) is not able
    for device in (CPU, GPU):
        assert use_bf16("bfloat16", device) and not use_bf16("float32", device)
    with pytest.raises(ConfigError, match="float16"):
        use_bf16("float16", CPU)
