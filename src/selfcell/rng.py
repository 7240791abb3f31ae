"""Every random number of the study, drawn from an explicit key and never from a global state.

The few draws a job makes once (splits, permutations) come from `keys.generator`. `Noise` is
counter-based: each value is a pure function of (seed, step, cell, stream, position), so a mask
does not depend on batch composition, on the rank that holds the cell, on the device, or on
whether the run was interrupted.

Shape suffixes: B cells, N values a cell.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import torch
from torch import Tensor

from selfcell.fused import fused
from selfcell.keys import derive


def torch_generator(*key: object) -> torch.Generator:
    """CPU torch generator that depends on the key alone (used for weight initialisation)."""
    return torch.Generator().manual_seed(derive(*key))


def _mix(x: Tensor) -> Tensor:
    """32-bit finaliser on int32, in place: every output bit depends on every input bit.

    Source: Wellons, "Prospecting for hash functions" (2018), the xorshift-multiply `lowbias32`.
    `>>` on int32 is arithmetic, hence the masks; one scratch buffer, since fresh pages cost
    more than the arithmetic.
    """
    scratch = torch.empty_like(x)
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B), (16, 1)):
        torch.bitwise_right_shift(x, shift, out=scratch)
        scratch &= (1 << (32 - shift)) - 1
        x ^= scratch
        if factor != 1:
            x *= _wrap32(factor)
    return x


@fused
def _bits(cell_B: Tensor, low: int, high: int, n: int) -> Tensor:
    """(B, n) int32 from cells and the two halves of a key."""
    row_B = _mix(cell_B.to(torch.int32) ^ low)
    row_B = _mix(row_B ^ (cell_B >> 32).to(torch.int32) ^ high)
    column_N = _mix(torch.arange(1, n + 1, dtype=torch.int32, device=cell_B.device))
    return _mix(row_B[:, None] ^ column_N[None, :])


@fused
def _uniform(word_BN: Tensor) -> Tensor:
    """int32 words, which it overwrites, to float32 on (0, 1)."""
    word_BN = word_BN.bitwise_right_shift_(9).bitwise_and_(0x7FFFFF)
    return word_BN.to(torch.float32).add_(0.5).mul_(2.0**-23)


@fused
def _spread(word_BW: Tensor, n: int) -> Tensor:
    """(B, n) bool: all first bits of the words' bytes, then all second ones; long runs, where bit
    by bit is slow."""
    octet_B1N = word_BW.view(torch.uint8)[:, None]
    weight = 1 << torch.arange(8, dtype=torch.uint8, device=word_BW.device)
    return (octet_B1N & weight[:, None]).ne(0).flatten(1)[:, :n]


def _wrap32(value: int) -> int:
    """The signed 32-bit integer with the same low 32 bits."""
    return ((value + (1 << 31)) & 0xFFFFFFFF) - (1 << 31)


@dataclass(frozen=True)
class Noise:
    """Random numbers of one training step, keyed by seed, step and cell.

    Attributes:
        seed: any integer; the run's seed.
        step: optimiser step, >= 0.
        cell_B: int64 identifiers of the batch's cells, on the device the values are wanted on.
    """

    seed: int
    step: int
    cell_B: Tensor

    def bits(self, n: int, stream: str) -> Tensor:
        """(B, n) int32, uniform over all 32-bit values. `stream` names the use: two uses of one
        step must not share it, or their draws are the same."""
        key = derive("noise", self.seed, self.step, stream)
        return _bits(self.cell_B, _wrap32(key), _wrap32(key >> 32), n)

    def uniform(self, n: int, stream: str) -> Tensor:
        """(B, n) float32 uniform on the open interval (0, 1), in steps of 2**-23."""
        return _uniform(self.bits(n, stream))

    def bernoulli(self, p: float, n: int, stream: str) -> Tensor:
        """(B, n) bool, True with probability p. ValueError outside [0, 1].

        A p of at most 8 binary digits (1/2, 3/4) takes as many bits a value and is exact; others
        take 16 bits (exact to 2**-17), or 32 (2**-33) within 2**-8 of 0 and 1.
        """
        if not 0.0 <= p <= 1.0:
            raise ValueError(f"probability {p} is outside [0, 1]")
        if p in (0.0, 1.0):
            shape = self.cell_B.shape[0], n
            return torch.full(shape, p == 1.0, dtype=torch.bool, device=self.cell_B.device)
        if (p * 2**8).is_integer():
            return self._coins(Fraction(p), n, stream)
        if 2**-8 < p < 1 - 2**-8:
            half_BN = self.bits(-(-n // 2), stream).view(torch.int16)
            return half_BN[:, :n] < round(p * 2**16) - 2**15
        return self.bits(n, stream) < _wrap32(round(p * 2**32) + (1 << 31))

    def _coins(self, p: Fraction, n: int, stream: str) -> Tensor:
        """(B, n) bool, True with probability p = k / 2**d, from d bits a value: reading the
        digits of k from the least, a 1 is "or" with a fresh bit, a 0 is "and"."""
        word_BW = torch.zeros((), dtype=torch.int32, device=self.cell_B.device)
        for digit in range(p.denominator.bit_length() - 1):
            fresh_BW = self.bits(-(-n // 32), f"{stream}/{digit}")
            one = p.numerator >> digit & 1
            word_BW = fresh_BW | word_BW if one else fresh_BW & word_BW
        return _spread(word_BW, n)

    def normal(self, n: int, stream: str) -> Tensor:
        """(B, n) float32 standard normal, by inverting the distribution function."""
        return torch.special.ndtri(self.uniform(n, stream))

    def negative_binomial_mixture(self, n: int, stream: str, total: int = 10) -> Tensor:
        """(B, n) float32 counts k ~ NB(total_count=total, prob p), p ~ U(0, 1) for each entry.

        Integrating the negative binomial over p in closed form leaves
        P(K >= k) = total / (k + total), which one uniform inverts exactly: two random draws and
        a gamma-Poisson sampler become one division. The mean of K is infinite; `log1p` of the
        normalised counts is what the noise uses.

        Source: the study's augmentation (Richter et al. 2024, contrastive methods); the closed
        form is derived in the test of this module.
        """
        return self.uniform(n, stream).reciprocal_().mul_(total).floor_().sub_(total)

    def rows(self, keep_B: Tensor | slice) -> Noise:
        """The same noise for a subset of the batch."""
        return Noise(self.seed, self.step, self.cell_B[keep_B])


def fan_in_uniform_(weight: Tensor, fan_in: int, rng: torch.Generator) -> None:
    """Fill with U(-1/sqrt(fan_in), 1/sqrt(fan_in)), torch's default for linear layers."""
    bound = 1.0 / math.sqrt(fan_in)
    with torch.no_grad():
        weight.uniform_(-bound, bound, generator=rng)
