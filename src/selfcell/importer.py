"""Checkpoints of the code released with the paper, as models of this package.

A checkpoint is a pickle. It is read by torch's reader of tensors alone (`weights_only`), which
builds nothing but tensors and plain containers and so runs no code of the file. Two forms exist:
one of Lightning, with the weights under `state_dict`, and the weights alone, which Barlow Twins
wrote. What the encoder is called tells the method (`LAYOUTS`).

The released encoders have SELU between their layers and nothing after the last; the classifier
has ReLU, and its embedding is what goes into its last layer. Each is taken as it was trained. (The
paper's zero-shot scores put SELU weights into the ReLU network: deviation `relu`.) Their input is
scaled by the counts of all 19,331 genes of the atlas: of the model's own, or of the file's where
the model sees only variable ones.

Source: Richter et al. 2024, released code and checkpoints (TillR/sc_pretrained).
"""

from __future__ import annotations

import pickle
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from selfcell import __version__
from selfcell.data.parse import parse
from selfcell.errors import DataError, StoreError
from selfcell.provenance import sha256_file, short_hash
from selfcell.specs import Network
from selfcell.tasks import model as folder

LICENCE = "not stated in the checkpoint; that of its source holds"


@dataclass(frozen=True)
class Layout:
    """Where a checkpoint keeps its encoder.

    Attributes:
        method: what pre-trained it, as far as the names tell: the masked autoencoders all look
            alike, as do BYOL and SimSiam but for BYOL's target.
        prefix: of the encoder's tensors.
        tell: a tensor of that prefix must be there too.
        activation: between the layers.
        head: whether the last layer is a classifier's, left out here.
    """

    method: str
    prefix: str
    tell: str
    activation: str = "selu"
    head: bool = False


LAYOUTS = (
    Layout("byol", "inner_model.", "byol.target_encoder."),
    Layout("simsiam", "inner_model.", "byol.online_encoder."),
    Layout("barlow_twins", "barlow_twins.backbone.", "barlow_twins.projector."),
    Layout("barlow_twins", "backbone.", "projector."),
    Layout("random_mask", "encoder.", "decoder."),
    Layout("supervised", "classifier.", "classifier.", "relu", head=True),
)
METHODS = tuple(dict.fromkeys(layout.method for layout in LAYOUTS))


def read_genes(path: Path) -> dict[str, str]:
    """Symbol by gene id, in the order of the file: one gene a line, its id and, after a tab, its
    symbol; without one the id stands for it.

    Raises DataError: no text, an empty line, a gene twice.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read as text ({error})", "one gene id a line") from error
    genes: dict[str, str] = {}
    for number, line in enumerate(lines, start=1):
        name, _, symbol = (part.strip() for part in line.partition("\t"))
        if not name or name in genes:
            got = f"{path}, line {number}: {'gene ' + name + ' again' if name else 'no gene'}"
            raise DataError(got, "each gene once, in the order of the model's input")
        genes[name] = symbol or name
    if not genes:
        raise DataError(f"{path} holds no gene", "one gene id a line")
    return genes


def import_checkpoint(
    path: Path,
    genes: Mapping[str, str],
    method: str = "",
    licence: str = LICENCE,
    variable_genes: bool = False,
) -> folder.Trained:
    """Read a released checkpoint.

    Args:
        path: of the checkpoint.
        genes: symbol by gene id, in the order of the model's input; the checkpoint does not hold
            them.
        method: what pre-trained it, where the user knows better than the names tell.
        licence: of the weights.
        variable_genes: the model sees a selection of the genes, and its cells were scaled before
            it was made: counts are scaled over all genes of a file, not over the model's.

    Returns:
        The encoder, of status "unchecked": the learning gate was not run on it.

    Raises:
        StoreError: no checkpoint, one that holds more than tensors, or one of another layout.
        DataError: another number of genes than the first layer takes.
        ConfigError: a wider layer than a network here can have.
    """
    state = read_state(path)
    layout = recognise(state, path)
    layers = encoder_layers(state, layout, path)
    inputs, widths = layers[0][0].shape[1], [len(bias) for _, bias in layers]
    if inputs != len(genes):
        raise DataError(
            f"{path}: its first layer takes {inputs} genes, {len(genes)} were named",
            "the model's genes, all of them, in the order of its input",
            "for a model of variable genes, list those alone",
        )
    settings = {"hidden": widths, "activation": layout.activation, "dropout": 0.0}
    network = parse(Network, settings, str(path))
    last = "hidden" if layout.head else None
    encoder = folder.new_encoder(inputs, network, 0, last)
    for layer, (weight, bias) in zip(encoder.layers, layers, strict=True):
        layer.load_state_dict({"weight": weight, "bias": bias})
    about = _about(network, genes, last, method or layout.method, licence)
    about["preprocessing"] = folder.PREPROCESSING if variable_genes else folder.OF_MODEL
    about["imported"] = {"file": path.name, "sha256": sha256_file(path), "layout": layout.prefix}
    return folder.Trained(encoder.eval(), None, about["gene_ids"], about["status"], about)


def read_state(path: Path) -> dict[str, Tensor]:
    """Tensors by name. Raises StoreError as `import_checkpoint`."""
    try:
        with warnings.catch_warnings():  # whichever pickle it is, it is refused in words
            warnings.filterwarnings("ignore", "Detected pickle protocol")
            found = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise StoreError(f"{path} does not exist", "a checkpoint", "correct the path") from error
    except pickle.UnpicklingError as error:
        named = re.search(r"Unsupported \w+:?[^\n]*?(?= was not|\n|$)", str(error))
        raise StoreError(
            f"{path} cannot be read as tensors alone ({named[0] if named else 'no pickle'})",
            "a checkpoint that can be read without running code of it",
            "where you trust it, save its weights alone: torch.save(torch.load(path, "
            'weights_only=False)["state_dict"], "weights.ckpt")',
        ) from error
    except Exception as error:  # torch raises whatever a damaged file makes its readers raise
        detail = " ".join(str(error).split())[:200]
        got = f"{path} is no checkpoint of torch ({type(error).__name__}: {detail})"
        raise StoreError(got, "a file that torch.save wrote") from error
    state = found.get("state_dict", found) if isinstance(found, dict) else None
    if not isinstance(state, dict):
        raise StoreError(f"{path} holds no weights by name", "a Lightning checkpoint")
    return {str(name): value for name, value in state.items() if isinstance(value, Tensor)}


def recognise(state: Mapping[str, Tensor], path: Path) -> Layout:
    """The layout that fits. Raises StoreError naming what the file holds."""
    for layout in LAYOUTS:
        if _has(state, layout.prefix) and _has(state, layout.tell):
            return layout
    parts = sorted({name.split(".")[0] for name in state})
    known = "; ".join(f"{each.prefix} ({each.method})" for each in LAYOUTS)
    raise StoreError(
        f"{path} holds weights of another layout ({', '.join(parts[:8]) or 'none'})",
        f"an encoder under one of: {known}",
    )


def _has(state: Mapping[str, Tensor], prefix: str) -> bool:
    return any(name.startswith(prefix) for name in state)


def encoder_layers(
    state: Mapping[str, Tensor], layout: Layout, path: Path
) -> list[tuple[Tensor, Tensor]]:
    """Weight (out, in) and bias (out,) of each linear layer, float32, in order.

    Raises StoreError where the encoder is not linear layers of plain real numbers and nothing else,
    each of the width that the one before gives: one with normalisation would compute something
    else here.
    """
    prefix = layout.prefix
    own = {name.removeprefix(prefix): v for name, v in state.items() if name.startswith(prefix)}
    numbers = range(0, 3 * len(own) // 2, 3)
    expected = {f"{number}.{kind}" for number in numbers for kind in ("weight", "bias")}
    if odd := sorted(set(own) ^ expected):
        raise _unlike(path, f"{prefix}{odd[0]} {'is there' if odd[0] in own else 'is absent'}")
    for name, value in own.items():
        if said := _not_plain(value):
            raise _unlike(path, f"{prefix}{name} {said}")
    layers = [(own[f"{n}.weight"].float(), own[f"{n}.bias"].float()) for n in numbers]
    before: int | None = None
    for number, (weight, bias) in zip(numbers, layers, strict=True):
        shapes = f"{prefix}{number} is of shapes {tuple(weight.shape)} and {tuple(bias.shape)}"
        if weight.ndim != 2 or 0 in weight.shape or bias.shape != weight.shape[:1]:
            raise _unlike(path, shapes)
        if before not in (None, weight.shape[1]):
            raise _unlike(path, f"{shapes}, after {before} units")
        before = weight.shape[0]
    if layout.head:
        layers.pop()
    if not layers:
        raise _unlike(path, "a classifier of one layer")
    return layers


def _not_plain(value: Tensor) -> str:
    """Why a tensor is no table of real numbers that the file holds; "" where it is one."""
    if value.is_meta:
        return "holds no values (a tensor on device meta)"
    if value.is_quantized or value.layout != torch.strided or not value.is_floating_point():
        return f"is of {value.dtype} and {value.layout}"
    stored = value.untyped_storage().nbytes() // value.element_size()
    if stored < value.numel():  # one value, shown as many, takes memory once it is copied
        return f"declares {value.numel()} values and stores {stored}"
    return ""


def _unlike(path: Path, what: str) -> StoreError:
    return StoreError(
        f"{path}: {what}",
        "an encoder of linear layers numbered 0, 3, 6, ..., weights and biases of real numbers, an "
        "activation and dropout between them",
        "checkpoints of RNA to protein and of other networks are not imported",
    )


def _about(
    network: Network, genes: Mapping[str, str], last: str | None, method: str, licence: str
) -> dict[str, Any]:
    ids = list(genes)
    spec = {"method": method, "task": method, "protocol": "published", "params": {}}
    return {
        "format": folder.FORMAT,
        "selfcell": __version__,
        "spec": {**spec, "network": network.model_dump(mode="json")},
        "gene_ids": ids,
        "symbols": list(genes.values()),
        "vocabulary": short_hash(ids),
        "last": last,
        "licence": licence,
        "status": "unchecked",
        "health": None,
        "run_hash": "",
    }
