"""Programme masks: whole gene sets are hidden, or shown, at once.

Sets are held as a (P, G) membership matrix and unions are taken on 64-bit words of it, so that
a union of forty sets for each of 256 cells costs a few milliseconds.

Shape suffixes: B cells, G genes, P programmes, K draws of one chunk, W words of 64 genes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from selfcell.errors import ConfigError
from selfcell.rng import Noise

CHUNK = 16
CHUNKS = 16


@dataclass(frozen=True)
class Coverage:
    """What the coverage rule kept.

    Attributes:
        given, kept: number of programmes before and after.
        too_few, too_thin: programmes dropped for fewer than `min_genes` measured genes, or for
            a measured share below `min_share`.
        genes: distinct genes in the kept programmes; measured: genes that the corpus measured.
    """

    given: int
    kept: int
    too_few: int
    too_thin: int
    genes: int
    measured: int

    def __str__(self) -> str:
        return (
            f"{self.kept} of {self.given} programmes kept ({self.too_few} with too few measured "
            f"genes, {self.too_thin} too thinly covered); they hold {self.genes} of "
            f"{self.measured} measured genes"
        )


def select(
    programmes: Mapping[str, Sequence[str]],
    symbols: Sequence[str],
    measured_G: np.ndarray,
    min_genes: int = 5,
    min_share: float = 0.1,
) -> tuple[list[str], np.ndarray, Coverage]:
    """Names and bool membership (P, G) of the programmes that the corpus covers.

    The rule: a programme is kept if at least `min_genes` of its genes, and at least the share
    `min_share` of all its genes, are in the vocabulary and measured by the corpus.

    Raises:
        ConfigError: no programme is kept.
    """
    column = {symbol: index for index, symbol in enumerate(symbols) if measured_G[index]}
    names: list[str] = []
    rows: list[np.ndarray] = []
    too_few = too_thin = 0
    for name, genes in programmes.items():
        found = [column[gene] for gene in genes if gene in column]
        if len(found) < min_genes:
            too_few += 1
        elif len(found) < min_share * len(genes):
            too_thin += 1
        else:
            row_G = np.zeros(len(symbols), dtype=bool)
            row_G[found] = True
            names.append(name)
            rows.append(row_G)
    if not rows:
        raise ConfigError(
            f"no programme of {len(programmes)} is covered by the vocabulary",
            f">= {min_genes} measured genes and a measured share >= {min_share}",
            "use other gene sets, or lower min_genes or min_share",
        )
    member_PG = np.stack(rows)
    genes_covered, measured = int(member_PG.any(0).sum()), int(np.sum(measured_G))
    counts = len(programmes), len(rows), too_few, too_thin
    return names, member_PG, Coverage(*counts, genes_covered, measured)


class Programmes(nn.Module):
    """A membership matrix that masks are drawn from; follows its method's device, has no state.

    Args:
        member_PG: bool, at least one programme; genes not measured in none.
    """

    word_PW: Tensor
    all_W: Tensor

    def __init__(self, member_PG: np.ndarray) -> None:
        super().__init__()
        self.count, self.genes = member_PG.shape
        self.register_buffer("word_PW", pack(torch.as_tensor(member_PG)), persistent=False)
        self.register_buffer("all_W", pack(torch.as_tensor(member_PG).any(0)), persistent=False)

    def union(self, noise: Noise, share: float, base_BG: Tensor, per_batch: bool = False) -> Tensor:
        """(B, G) bool: programmes drawn at random, one after another, until they cover `share`.

        The share counts the genes of `base_BG` (B or 1 rows of bool: those measured, or those
        the cell expresses). Guaranteed for each cell: the mask is the union of the programmes
        drawn; it covers at least `share` of the base; without the last programme drawn it would
        not. Where all programmes together cover less, the mask is their union.

        Drawing with replacement gives the same law as drawing without, since a programme drawn
        again adds nothing; it saves sorting.

        Source: Richter et al. 2024, "gene programme" masking.
        Differs from the paper: a share of genes is reached, where the released code draws a
        share of programmes; each cell has its own mask unless `per_batch`, which decides once
        for all cells of a step (with `base_BG` of one row, the same for every cell).
        """
        if per_batch:
            noise = Noise(noise.seed, noise.step, torch.zeros_like(noise.cell_B[:1]))
        base_BW = pack(base_BG)
        wanted_B = least(share, popcount(base_BW))
        reachable_B = popcount(base_BW & self.all_W) >= wanted_B
        mask_BW = torch.where(reachable_B[:, None], 0, self.all_W).expand(len(noise.cell_B), -1)
        done_B = ~reachable_B | (wanted_B <= 0)
        for chunk in range(CHUNKS + 1):
            if bool(done_B.all()):
                break
            order_BK = self._draw(noise, chunk)
            mask_BW, done_B = self._extend(mask_BW, done_B, order_BK, base_BW, wanted_B)
        return unpack(mask_BW, self.genes)

    def _draw(self, noise: Noise, chunk: int) -> Tensor:
        """(B, K) programmes: independent draws; in the last chunk a permutation of all, so that
        the loop ends and its law stays exact."""
        if chunk == CHUNKS:
            return noise.uniform(self.count, "programmes/all").argsort(1)
        uniform_BK = noise.uniform(CHUNK, f"programmes/{chunk}")
        return (uniform_BK * self.count).long().clamp_max_(self.count - 1)

    def _extend(
        self, mask_BW: Tensor, done_B: Tensor, order_BK: Tensor, base_BW: Tensor, wanted_B: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Masks after the shortest prefix of `order_BK` that reaches the wanted count."""
        union_BKW = self.word_PW[order_BK]
        union_BKW[:, 0] |= mask_BW
        for k in range(1, order_BK.shape[1]):
            union_BKW[:, k] |= union_BKW[:, k - 1]
        reached_BK = popcount(union_BKW & base_BW[:, None]) >= wanted_B[:, None]
        last_B = torch.where(reached_BK.any(1), reached_BK.int().argmax(1), order_BK.shape[1] - 1)
        longer_BW = union_BKW[torch.arange(len(order_BK), device=last_B.device), last_B]
        return torch.where(done_B[:, None], mask_BW, longer_BW), done_B | reached_BK.any(1)

    def some(self, noise: Noise, number: int, per_batch: bool = False) -> Tensor:
        """(B, number) distinct programmes drawn uniformly for each cell (or each step)."""
        if per_batch:
            noise = Noise(noise.seed, noise.step, torch.zeros_like(noise.cell_B[:1]))
        if number == 1:
            return (noise.uniform(1, "programmes/0") * self.count).long().clamp_max_(self.count - 1)
        uniform_BP = noise.uniform(self.count, "programmes/all")
        return uniform_BP.topk(min(number, self.count), dim=1).indices

    def of(self, index_BK: Tensor) -> Tensor:
        """(B, G) bool: the union of the programmes given for each cell."""
        word_BKW = self.word_PW[index_BK]
        mask_BW = word_BKW[:, 0]
        for k in range(1, index_BK.shape[1]):
            mask_BW = mask_BW | word_BKW[:, k]
        return unpack(mask_BW, self.genes)

    def any(self) -> Tensor:
        """(G,) bool: genes of at least one programme."""
        return unpack(self.all_W, self.genes)


def least(share: float, size_B: Tensor) -> Tensor:
    """(B,) float64: the least whole number of genes that is at least `share` of `size_B`.

    A product a rounding error above a whole number is that number: .07 of 100 genes are 7, though
    .07 * 100 is 7.000000000000001, and .3 of 50 are 15, though in float32 the product is above.
    """
    return (share * size_B.double() - 1e-9).ceil()


def pack(bits_BG: Tensor) -> Tensor:
    """(..., G) bool to (..., W) int64, 64 genes a word, padded with zeros."""
    genes = bits_BG.shape[-1]
    words = -(-genes // 64)
    padded = torch.nn.functional.pad(bits_BG.to(torch.uint8), (0, words * 64 - genes))
    weight = 1 << torch.arange(8, dtype=torch.uint8, device=bits_BG.device)
    octets = padded.unflatten(-1, (words * 8, 8)).mul_(weight)
    # A tree of three sums: torch's own reduction over an axis of 8 bytes is ten times slower.
    for half in (4, 2, 1):
        octets = octets[..., :half] | octets[..., half : 2 * half]
    return octets[..., 0].contiguous().view(torch.int64)


def unpack(word_BW: Tensor, genes: int) -> Tensor:
    """The inverse of `pack`: (B, W) int64 to (B, G) bool."""
    octet_BN = word_BW.contiguous().view(torch.uint8)
    weight = 1 << torch.arange(8, dtype=torch.uint8, device=word_BW.device)
    bits = (octet_BN[..., None] & weight) != 0
    return bits.flatten(-2)[..., :genes]


def popcount(word_BW: Tensor) -> Tensor:
    """(..., W) int64 to (...) float32: the number of bits set in all words.

    Source: Warren, Hacker's Delight, section 5-1 (sums of neighbours in parallel).
    """
    x = word_BW - ((word_BW >> 1) & 0x5555555555555555)
    x = (x & 0x3333333333333333) + ((x >> 2) & 0x3333333333333333)
    x = (x + (x >> 4)) & 0x0F0F0F0F0F0F0F0F
    octets = x.contiguous().view(torch.uint8)
    return octets.sum(-1, dtype=torch.int32).to(torch.float32)
