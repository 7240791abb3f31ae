"""Autoencoders that go on learning to predict one half of each cell's molecules from the other.

No label is used and no test cell: what is learned from are the halves of the target's pool, those
that the ridge readout of frozen codes is fitted on. Without a model the same network starts from
random weights ("scratch"), with the same steps and the same choice among learning rates.

Shape suffixes: B cells of a batch, G genes, P pool cells, M of them for training.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from selfcell.baselines.random_encoder import embed
from selfcell.data.cells import MemoryCells
from selfcell.data.device import to_device
from selfcell.data.loader import Loader
from selfcell.data.store import Store
from selfcell.errors import DivergenceError
from selfcell.keys import derive, generator
from selfcell.losses.masked_mse import masked_mse
from selfcell.losses.nb import in_counts, masked_nb
from selfcell.methods.base import Batch
from selfcell.nets.mlp import MLP
from selfcell.rng import torch_generator
from selfcell.specs import Network, ReconstructSpec
from selfcell.tasks.decoder import Decoder
from selfcell.tasks.finetune import CHECKS
from selfcell.tasks.model import CHUNK, Trained, new_encoder
from selfcell.tasks.reconstruct import Molecules, Rows
from selfcell.train.checkpoint import VALIDATION_LOSS
from selfcell.train.loop import Plan, fit
from selfcell.train.precision import choose_device, use_bf16

VALIDATION = 0.2  # share of the pool that chooses learning rate and step


class Autoencoder(nn.Module):
    """Encoder and decoder; in the loss are all genes that the target measured.

    Source: Richter et al. 2024, gene-expression reconstruction, both heads.
    Differs from the paper: the half that is not encoded is learned and scored, not the input.

    Args:
        log_dispersion_G: of the negative binomial; None: squared error of log1p expression.
        asked_G: bool, genes in the loss.
    """

    asked_G: Tensor
    log_dispersion_G: Tensor | None

    def __init__(
        self, encoder: MLP, decoder: MLP, log_dispersion_G: Tensor | None, asked_G: np.ndarray
    ) -> None:
        super().__init__()
        self.encoder, self.decoder = encoder, decoder
        self.log_dispersion_G = log_dispersion_G
        if log_dispersion_G is not None:
            self.log_dispersion_G = nn.Parameter(log_dispersion_G.clone())
        self.register_buffer("asked_G", torch.from_numpy(asked_G), persistent=False)

    def loss(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """Error of the hidden half, whose counts a batch of `Halved` holds."""
        y_BG = self.decoder(self.encoder(batch.x_BG, batch.noise), batch.noise).float()
        asked_BG = self.asked_G.expand_as(y_BG)
        if self.log_dispersion_G is None:
            truth_BG = (batch.count_BG * (1e4 / batch.total_B[:, None])).log1p()
            return masked_mse(y_BG, truth_BG, asked_BG), {}
        counts = in_counts(y_BG, batch.total_B, self.log_dispersion_G)
        return masked_nb(*counts, batch.count_BG, asked_BG), {}

    def after_step(self) -> None:
        """Nothing moves but the weights."""

    def read(self) -> Decoder:
        """The decoder as it is scored, where the network lies."""
        own = None if self.log_dispersion_G is None else self.log_dispersion_G.detach()
        return Decoder(self.decoder, own, self.asked_G.cpu().numpy())

    @torch.no_grad()
    def error(self, data: Molecules, rows: np.ndarray) -> float:
        """Mean squared error of pool cells in the units that are scored, whatever the head."""
        decode, there, total = self.read(), self.asked_G.device, 0.0
        for part in np.split(rows, range(CHUNK, len(rows), CHUNK)):
            x_BG = torch.from_numpy(data.pool.seen_NG[part].toarray()).to(there)
            total_B = torch.from_numpy(data.pool.seen_N[part].astype(np.float32)).to(there)
            y_BG = decode(self.encoder(x_BG), total_B).cpu().numpy()
            error_BG = (y_BG - data.pool.hidden_NG[part].toarray())[:, decode.decoded_G]
            total += float(np.square(error_BG).mean(1).sum())
        return total / len(rows)


def of_model(model: Trained, network: Network, asked_G: np.ndarray) -> Autoencoder:
    """A pre-trained masked autoencoder in a network of that activation and dropout."""
    assert model.decoder is not None
    decoder = model.decoder.net
    decoder.activation, decoder.dropout = network.activation, network.dropout
    own = model.decoder.log_dispersion_G
    return Autoencoder(model.put_into(network), decoder, own, asked_G)


def fresh(
    head: Mapping[str, str], network: Network, seed: int, mean_G: np.ndarray, asked_G: np.ndarray
) -> Autoencoder:
    """The same with the initial weights that pre-training begins with at this seed.

    Args:
        head: params `loss` and `output` of the method that it stands beside.
        mean_G: float32 mean log1p expression, at which a negative binomial starts.
    """
    nb = head["loss"] == "nb"
    decoder = MLP(
        [*reversed(network.hidden), len(asked_G)],
        torch_generator(seed, "decoder"),
        activation=network.activation,
        dropout=network.dropout,
        last=None if nb or head["output"] == "linear" else head["output"],
        name="decoder",
    )
    if nb:
        start_G = torch.from_numpy(mean_G).expm1().clamp_min(1e-3).log()
        decoder.layers[-1].get_parameter("bias").data.copy_(start_G)
    encoder = new_encoder(len(asked_G), network, seed)
    return Autoencoder(encoder, decoder, torch.zeros(len(asked_G)) if nb else None, asked_G)


class Halved:
    """Batches of a pool's cells: `x_BG` is the seen half, counts and totals are the hidden one's.

    Args:
        rows: cells of the pool to draw from. size: cells a batch. device: where batches go.
    """

    def __init__(
        self, data: Molecules, rows: np.ndarray, size: int, seed: int, device: torch.device
    ) -> None:
        halves = data.pool
        hidden = MemoryCells(halves.count_NG, halves.hidden_N, data.key_P)
        self._loader = Loader(hidden, rows, size, seed, label_N=rows)
        self._seen_PG, self._device = halves.seen_NG, device

    def batch(self, step: int) -> Batch:
        """The batch of a step, >= 0."""
        hidden = self._loader.batch(step)
        assert hidden.label_B is not None
        seen_BG = torch.from_numpy(self._seen_PG[hidden.label_B.numpy()].toarray())
        return to_device(replace(hidden, x_BG=seen_BG), self._device)


def fine_tuned(
    spec: ReconstructSpec,
    model: Trained | None,
    store: Store,
    split: Mapping[str, Any],
    run_hash: str,
) -> Rows:
    """Rows of an arm on one target, trained anew at each division; no model: from scratch."""
    init, status = ("pretrained", model.status) if model else ("random", "ok")
    rows = Rows(spec.keys(init, "fine-tuned", run_hash))
    for draw in range(spec.tuning.draws):
        data = Molecules.read(store, split, spec.thinning, draw)
        for start in _starts(spec, model, data):
            made, ended, sums = train(spec, start, data), "diverged", None
            if made is not None:
                sums = data.decoder(made.read(), embed(made.encoder, data.test.seen_NG))
                ended = status
            rows.add(data, start.read().readout, sums, data.n_pool, ended)
    return rows


def _starts(spec: ReconstructSpec, model: Trained | None, data: Molecules) -> Iterator[Autoencoder]:
    if model is not None:
        yield of_model(model, spec.network, data.measured_G)
        return
    for head in spec.heads:
        yield fresh(head, spec.network, spec.seed, data.mean_G, data.measured_G)


def train(spec: ReconstructSpec, start: Autoencoder, data: Molecules) -> Autoencoder | None:
    """The best of the learning rates and looks, by squared error of a fifth of the pool; None if
    every learning rate diverged. Every arm chooses so, on the same cells."""
    names = ("reconstruction", data.keys["target"], data.draw)
    order = generator("validation", *names).permutation(data.n_pool)
    held, rows = np.split(order, [max(1, int(VALIDATION * len(order)))])
    least, best = math.inf, None
    for lr in spec.tuning.lr:
        model = copy.deepcopy(start).to(choose_device(spec.device))
        try:
            loss = _fit(spec, model, lr, data, (np.sort(rows), np.sort(held)), names)
        except DivergenceError:
            continue
        if loss < least:
            least, best = loss, model.cpu()
    return best


def _fit(
    spec: ReconstructSpec,
    model: Autoencoder,
    lr: float,
    data: Molecules,
    parts: tuple[np.ndarray, np.ndarray],
    names: tuple[object, ...],
) -> float:
    """Train one model on the first of two parts of the pool; the error of the second at its best
    look, whose weights it ends with."""
    (rows, held), tuning, device = parts, spec.tuning, model.asked_G.device
    adamw = torch.optim.AdamW(
        model.parameters(), lr=lr, weight_decay=tuning.weight_decay, fused=True
    )
    plan = Plan(
        tuning.steps,
        clip=spec.clip,
        bf16=use_bf16(spec.precision, device),
        log_every=max(1, tuning.steps // CHECKS),
    )

    def look(step: int) -> dict[str, float]:
        return {VALIDATION_LOSS: model.error(data, held)}

    batches = Halved(data, rows, tuning.batch, derive(*names), device)
    history, _ = fit(model, batches, adamw, plan, measure=look, title=" ".join(map(str, names)))
    return min(row[VALIDATION_LOSS] for row in history)
