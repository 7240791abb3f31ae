"""The steps that `train.py` compares with: plain torch, and the released design.

Both are written from descriptions, in the way a reader of torch's manual would: `nn.Sequential`,
`nn.Dropout`, `nn.BatchNorm1d`, `torch.rand`, `torch.distributions`, dense masks and a dense loss.
The architecture, the objective and the optimiser are those of the method beside them.

Shape suffixes: B cells, G genes, P programmes, D dimensions.
"""

from __future__ import annotations

import copy
import gc
from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

HIDDEN = (512, 512, 256, 256, 64)
SCALE = 1e4


def mlp(sizes: Sequence[int], last: bool) -> nn.Sequential:
    """Linear, SELU, dropout; `last`: after the last linear layer too."""
    layers: list[nn.Module] = []
    for i, o in pairwise(sizes):
        layers += [nn.Linear(i, o), nn.SELU(), nn.Dropout(0.1)]
    return nn.Sequential(*(layers if last else layers[:-2]))


def head(sizes: Sequence[int], norm_last: bool = False) -> nn.Sequential:
    """Linear, batch normalisation, ReLU."""
    layers: list[nn.Module] = []
    for i, o in pairwise(sizes):
        layers += [nn.Linear(i, o), nn.BatchNorm1d(o), nn.ReLU()]
    return nn.Sequential(*layers[: -1 if norm_last else -2])


class PlainMasked(nn.Module):
    """A masked autoencoder; `draw` gives what is visible and what is in the loss."""

    def __init__(self, genes: int, draw: Callable[[Tensor], tuple[Tensor, Tensor]]) -> None:
        super().__init__()
        self.encoder = mlp([genes, *HIDDEN], last=True)
        self.decoder = mlp([*reversed(HIDDEN), genes], last=False)
        self.draw = draw

    def forward(self, x_BG: Tensor) -> Tensor:
        visible_BG, target_BG = self.draw(x_BG)
        y_BG = self.decoder(self.encoder(x_BG * visible_BG)).float()
        return ((y_BG - x_BG).square() * target_BG).sum() / target_BG.sum()


def draws(name: str, known) -> Callable[[Tensor], tuple[Tensor, Tensor]]:  # type: ignore[no-untyped-def]
    """How each masked method hides genes; `known` is the method's twin in selfcell."""

    def random(x_BG: Tensor) -> tuple[Tensor, Tensor]:
        mask_BG = torch.rand_like(x_BG) < rate
        return ~mask_BG, mask_BG

    def programmes(x_BG: Tensor) -> tuple[Tensor, Tensor]:
        order_BP = torch.rand(len(x_BG), len(member_PG), device=x_BG.device).argsort(1)
        mask_BG = member_PG[order_BP[:, 0]]
        for k in range(1, len(member_PG)):
            open_B = mask_BG.sum(1) < known.share * x_BG.shape[1]
            if not open_B.any():
                break
            mask_BG[open_B] |= member_PG[order_BP[open_B, k]]
        return ~mask_BG, mask_BG

    def one(x_BG: Tensor) -> tuple[Tensor, Tensor]:
        mask_BG = member_PG[torch.randint(len(member_PG), (len(x_BG),), device=x_BG.device)]
        return mask_BG, mask_BG

    def factors(x_BG: Tensor) -> tuple[Tensor, Tensor]:
        rand_BP = torch.rand(len(x_BG), len(member_PG), device=x_BG.device)
        drawn_BK = rand_BP.topk(known.number, 1).indices
        seen_BG = member_PG[drawn_BK[:, 0]]
        for k in range(1, known.number):
            seen_BG |= member_PG[drawn_BK[:, k]]
        target_BG = torch.zeros_like(seen_BG).scatter(1, known.column_P[drawn_BK], True)
        return seen_BG & ~target_BG, target_BG

    if name in ("random_mask", "random_mask_matched"):
        rate = known.rate if name == "random_mask" else known.rate_G
        return random
    from selfcell.masks.programmes import unpack

    member_PG = unpack(known.programmes.word_PW, known.programmes.genes).contiguous()
    return {"gp_to_gp": one, "gp_to_tf": factors}.get(name, programmes)


def view(x_BG: Tensor) -> Tensor:
    """A noisy view: negative-binomial counts on every gene, then half of the entries dropped."""
    probs_BG = torch.rand_like(x_BG)
    count_BG = torch.distributions.NegativeBinomial(10, probs=probs_BG).sample()
    count_BG = count_BG / count_BG.sum(1, keepdim=True).clamp_min(1.0) * SCALE
    return (x_BG + 0.2 * torch.log1p(count_BG)) * (torch.rand_like(x_BG) < 0.5)


def both_ways(p: Sequence[Tensor], t: Sequence[Tensor]) -> Tensor:
    """BYOL's and SimSiam's loss."""
    cosine = F.cosine_similarity(p[0], t[1]).mean() + F.cosine_similarity(p[1], t[0]).mean()
    return 4.0 - 2.0 * cosine


class PlainSiamese(nn.Module):
    """Two views, an encoder, heads and one of five losses."""

    def __init__(self, name: str, genes: int) -> None:
        super().__init__()
        self.name = name
        self.encoder = nn.Sequential(
            *[layer for layer in mlp([genes, *HIDDEN], True) if not isinstance(layer, nn.Dropout)]
        )
        widths = {
            "byol": [64, 4096, 256],
            "simsiam": [64, 1024, 1024, 256],
            "barlow_twins": [64, 256, 256, 512, 512],
            "simclr": [64, 512, 128],
            "vicreg": [64, 512, 512, 512],
        }
        self.projector = head(widths[name], norm_last=name == "simsiam")
        if name in ("byol", "simsiam"):
            self.predictor = head([256, widths[name][1], 256])
        if name == "byol":
            target = copy.deepcopy(nn.ModuleList([self.encoder, self.projector]))
            self.target = target.requires_grad_(False)

    def forward(self, x_BG: Tensor) -> Tensor:
        views = view(x_BG), view(x_BG)
        z = [self.projector(self.encoder(each)).float() for each in views]
        if self.name in ("byol", "simsiam"):
            p = [self.predictor(each).float() for each in z]
            if self.name == "simsiam":
                return both_ways(p, [each.detach() for each in z]) / 4.0
            with torch.no_grad():
                t = [self.target[1](self.target[0](each)).float() for each in views]
            return both_ways(p, t)
        with torch.autocast(x_BG.device.type, enabled=False):
            return {"simclr": simclr, "vicreg": vicreg, "barlow_twins": barlow}[self.name](*z)

    @torch.no_grad()
    def move(self) -> None:
        """BYOL's moving target."""
        if self.name == "byol":
            online = nn.ModuleList([self.encoder, self.projector])
            for slow, fast in zip(self.target.parameters(), online.parameters(), strict=True):
                slow.mul_(0.99).add_(fast, alpha=0.01)


def simclr(a_BD: Tensor, b_BD: Tensor) -> Tensor:
    """NT-Xent at temperature 0.5."""
    z_ND = F.normalize(torch.cat([a_BD, b_BD]))
    logit_NN = (z_ND @ z_ND.T / 0.5).fill_diagonal_(-torch.inf)
    return F.cross_entropy(logit_NN, torch.arange(len(z_ND), device=z_ND.device).roll(len(a_BD)))


def vicreg(a_BD: Tensor, b_BD: Tensor) -> Tensor:
    """Weights 25, 25, 1."""
    loss = 25.0 * F.mse_loss(a_BD, b_BD)
    for z_BD in (a_BD, b_BD):
        z_BD = z_BD - z_BD.mean(0)
        cov_DD = z_BD.T @ z_BD / (len(z_BD) - 1)
        loss = loss + 25.0 * F.relu(1.0 - (cov_DD.diagonal() + 1e-4).sqrt()).mean()
        off = cov_DD.square().sum() - cov_DD.diagonal().square().sum()
        loss = loss + off / z_BD.shape[1]
    return loss


def barlow(a_BD: Tensor, b_BD: Tensor) -> Tensor:
    """Redundancy weight 0.0051."""
    a_BD, b_BD = ((z - z.mean(0)) / (z.var(0, unbiased=False) + 1e-5).sqrt() for z in (a_BD, b_BD))
    c_DD = a_BD.T @ b_BD / len(a_BD)
    on = (1.0 - c_DD.diagonal()).square().sum()
    return on + 0.0051 * (c_DD.square().sum() - c_DD.diagonal().square().sum())


class PlainStep:
    """A step of plain torch: autocast or not, clip, fused AdamW (or the method's optimiser)."""

    def __init__(self, model: nn.Module, optimiser: torch.optim.Optimizer, bf16: bool) -> None:
        self.model, self.optimiser, self.bf16 = model, optimiser, bf16

    def __call__(self, x_BG: Tensor) -> float:
        with torch.autocast(x_BG.device.type, torch.bfloat16, enabled=self.bf16):
            loss = self.model(x_BG)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimiser.step()
        if isinstance(self.model, PlainSiamese):
            self.model.move()
        return loss.item()


class ReleasedStep:
    """The released design's step: a dense Bernoulli mask, explained variance twice, gc.

    float32 throughout, AdamW as torch makes it by default. The mask is drawn on the processor,
    in one thread, wherever the model is. The loss is averaged over masked entries, as ours.
    """

    def __init__(self, genes: int, device: str) -> None:
        self.model = PlainMasked(genes, self.draw).to(device)
        self.optimiser = torch.optim.AdamW(self.model.parameters(), lr=1e-3, weight_decay=0.01)

    def draw(self, x_BG: Tensor) -> tuple[Tensor, Tensor]:
        """Visible and in the loss."""
        keep_BG = torch.distributions.Bernoulli(probs=0.5).sample(x_BG.shape).to(x_BG.device)
        return keep_BG, 1.0 - keep_BG

    def __call__(self, x_BG: Tensor) -> float:
        visible_BG, target_BG = self.draw(x_BG)
        y_BG = self.model.decoder(self.model.encoder(x_BG * visible_BG))
        loss = ((y_BG - x_BG).square() * target_BG).sum() / target_BG.sum()
        with torch.no_grad():
            for weighted in (False, True):
                explained_variance(y_BG * target_BG, x_BG * target_BG, weighted)
        self.optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimiser.step()
        gc.collect()
        return loss.item()


def explained_variance(y_BG: Tensor, x_BG: Tensor, weighted: bool) -> Tensor:
    """Over cells, averaged over genes by their variance or evenly; from sums, as a metric keeps."""
    error_BG = x_BG - y_BG
    cells = len(x_BG)
    of_error_G = error_BG.square().sum(0) / cells - (error_BG.sum(0) / cells).square()
    of_target_G = x_BG.square().sum(0) / cells - (x_BG.sum(0) / cells).square()
    share_G = 1.0 - of_error_G / of_target_G.clamp_min(1e-12)
    return (share_G * of_target_G / of_target_G.sum()).sum() if weighted else share_G.mean()
