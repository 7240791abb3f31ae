"""A pre-trained model on disk: a folder that describes itself, without pickle.

`weights.safetensors` holds the method's tensors (the encoder's under `encoder.`, a decoder's under
`decoder.`, and which genes that one learned) and the hash of the vocabulary they belong to;
`model.json` the format version, the settings that made it, the vocabulary in column order, the
preprocessing of its input, what follows the encoder's last layer, the licence, and whether it
learned. Folders of every format in `READABLE` load. Shape suffixes: B cells, G genes, D latent
dimensions.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from selfcell import __version__
from selfcell.data.cells import SCALE
from selfcell.errors import StoreError
from selfcell.job import write_json
from selfcell.methods.base import Health, Method
from selfcell.nets.mlp import ACTIVATIONS, MLP
from selfcell.provenance import short_hash
from selfcell.rng import torch_generator
from selfcell.specs import Network, PretrainSpec
from selfcell.tasks.decoder import Decoder

# 2: symbols, preprocessing, licence, hash of the vocabulary beside the weights
# 3: `last` and the second of the preprocessings
FORMAT, READABLE = 3, (2, 3)
PREPROCESSING = {"input": "counts", "scale": SCALE, "of": "all genes of the file", "then": "log1p"}
OF_MODEL = {**PREPROCESSING, "of": "genes of the model"}
LAST = ("hidden", None)
LICENCE = "MIT for the weights; the cells they were trained on keep the licences of their sources"
STATUSES = ("ok", "collapsed", "not_learned", "diverged", "unchecked")
DECODED = "decoded_G"
CHUNK = 1024  # rows a forward pass takes: fixed, so that an embedding does not depend on memory


@dataclass(frozen=True)
class Trained:
    """A model read back.

    Attributes:
        encoder: in evaluation mode.
        decoder: of a masked autoencoder; None for other methods.
        gene_ids: its vocabulary, in the order of its input columns.
        status: "ok", "collapsed", "not_learned", "diverged", or "unchecked" for a model that came
            from elsewhere.
        about: the whole of model.json.
        weights: every tensor of the method, from which training can go on.
    """

    encoder: MLP
    decoder: Decoder | None
    gene_ids: Sequence[str]
    status: str
    about: dict[str, Any]
    weights: Mapping[str, torch.Tensor] = field(default_factory=dict)

    @property
    def symbols(self) -> list[str]:
        """Symbols of its genes."""
        return list(self.about["symbols"])

    @property
    def scaled_by_own_genes(self) -> bool:
        """Whether counts are scaled by a cell's sum over the model's genes, not the file's."""
        return bool(self.about["preprocessing"] == OF_MODEL)

    def put_into(self, network: Network) -> MLP:
        """The encoder's weights in a network of that activation and dropout; the widths stay."""
        self.encoder.activation, self.encoder.dropout = network.activation, network.dropout
        return self.encoder


def new_encoder(n_genes: int, network: Network, seed: int, last: str | None = "hidden") -> MLP:
    """An encoder with the initial weights of `seed`, as `Context.encoder` makes it; `last` as in
    `MLP`."""
    return MLP(
        [n_genes, *network.hidden],
        torch_generator(seed, "encoder"),
        activation=network.activation,
        dropout=network.dropout,
        last=last,
        name="encoder",
    )


def describe(
    spec: PretrainSpec, genes: Mapping[str, str], health: Health | None, notes: Mapping[str, Any]
) -> dict[str, Any]:
    """What model.json says; arguments as of `save`."""
    return {
        "format": FORMAT,
        "selfcell": __version__,
        "spec": spec.model_dump(mode="json"),
        "gene_ids": list(genes),
        "symbols": list(genes.values()),
        "vocabulary": short_hash(list(genes)),
        "preprocessing": PREPROCESSING,
        "last": "hidden",
        "licence": LICENCE,
        "status": health.status if health else "diverged",
        "health": vars(health) if health else None,
        **notes,
    }


def save(
    folder: Path,
    method: Method,
    spec: PretrainSpec,
    genes: Mapping[str, str],
    health: Health | None,
    notes: Mapping[str, Any],
) -> None:
    """Write the model into `folder` (made if absent).

    Args:
        genes: symbol by gene id, in column order.
        health: None for a diverged run.
        notes: further keys of model.json, or other values for those it has.
    """
    weights = dict(method.state_dict())
    decoded_G = method.decoded()
    if decoded_G is not None:
        weights[DECODED] = decoded_G
    write(folder, weights, describe(spec, genes, health, notes))


def write(folder: Path, weights: Mapping[str, torch.Tensor], about: Mapping[str, Any]) -> None:
    """Write weights and description, as `load` reads them."""
    folder.mkdir(parents=True, exist_ok=True)
    own = {name: value.detach().clone() for name, value in weights.items()}
    metadata = {"format": "pt", "vocabulary": about["vocabulary"]}
    save_file(own, folder / "weights.safetensors", metadata)
    write_json(about, folder / "model.json")


def load(folder: Path) -> Trained:
    """Read a model; nothing in it is ever executed.

    Raises:
        StoreError: files are missing or damaged, of another format, or do not fit together.
    """
    try:
        about = json.loads((folder / "model.json").read_text(encoding="utf-8"))
        with safe_open(folder / "weights.safetensors", framework="pt") as file:
            belongs = (file.metadata() or {}).get("vocabulary")
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, ValueError, RecursionError, SafetensorError) as error:
        got = f"{folder}: no readable model ({error})"
        raise StoreError(got, "a folder that pretrain wrote") from error
    _check_format(folder, about)
    try:
        network, last = _described(about)
    except (KeyError, TypeError, ValueError) as error:
        got = f"{folder}/model.json is not as it was written ({' '.join(str(error).split())})"
        raise StoreError(got, remedy="copy the folder whole from where it came") from error
    _check(folder, about, belongs)
    genes = len(about["gene_ids"])
    try:
        _check_shapes(weights, [genes, *network.hidden])
        encoder = new_encoder(genes, network, 0, last)
        encoder.load_state_dict(_part(weights, "encoder."))
        decoder = _decoder(weights, genes, about["spec"]["params"], network)
    except (RuntimeError, ValueError) as error:
        raise StoreError(f"{folder}: weights do not fit model.json ({error})") from error
    if broken := [name for name, value in weights.items() if not value.isfinite().all()]:
        got = f"{folder}: weights that are no finite numbers, first in {broken[0]}"
        raise StoreError(got, "a model whose training did not diverge", "pre-train it again")
    own = {name: value for name, value in weights.items() if name != DECODED}
    return Trained(encoder.eval(), decoder, about["gene_ids"], about["status"], about, own)


def _check_format(folder: Path, about: Any) -> None:
    found = about.get("format") if isinstance(about, dict) else None
    if found not in READABLE:
        newer = isinstance(found, int) and found > FORMAT
        remedy = "update selfcell" if newer else "pre-train it again with this version"
        needed = f"format {' or '.join(map(str, READABLE))}"
        raise StoreError(f"{folder}: model format {found!r}", needed, remedy)


def _described(about: dict[str, Any]) -> tuple[Network, str | None]:
    """The network and what follows its last layer. Raises KeyError, TypeError or ValueError where
    model.json lacks something that is read later, or holds it in another form."""
    spec, genes, symbols = about["spec"], about["gene_ids"], about["symbols"]
    if not isinstance(spec["params"], dict) or not isinstance(spec["method"], str):
        raise ValueError("method and params of spec")
    texts = isinstance(genes, list) and isinstance(symbols, list)
    if not texts or not all(isinstance(name, str) for name in [*genes, *symbols]):
        raise ValueError("gene_ids and symbols are lists of texts")
    if not len(set(genes)) == len(genes) == len(symbols) > 0:
        raise ValueError("each gene once, with its symbol")
    if about["status"] not in STATUSES or not isinstance(about["licence"], str):
        raise ValueError(f"status {about['status']!r}")
    if (last := about.get("last", "hidden")) not in LAST:
        raise ValueError(f"last {last!r}")
    return Network(**spec["network"]), last


def _check(folder: Path, about: dict[str, Any], belongs: str | None) -> None:
    """Vocabulary and preprocessing are what this version computes with."""
    if not short_hash(about["gene_ids"]) == about.get("vocabulary") == belongs:
        raise StoreError(
            f"{folder}: the weights belong to another vocabulary than that of model.json",
            "both files of one model",
            "copy the folder whole from where it came",
        )
    if (found := about.get("preprocessing")) not in (PREPROCESSING, OF_MODEL):
        raise StoreError(f"{folder}: input prepared as {found}", f"{PREPROCESSING}")


def _check_shapes(weights: Mapping[str, torch.Tensor], widths: Sequence[int]) -> None:
    """Raise ValueError before memory is taken for a network that the weights are not of."""
    for layer, (inputs, outputs) in enumerate(pairwise(widths)):
        name = f"encoder.layers.{layer}.weight"
        found = tuple(weights[name].shape) if name in weights else "absent"
        if found != (outputs, inputs):
            raise ValueError(f"{name}: {found}, not {(outputs, inputs)}")


def _part(weights: dict[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    return {name[len(prefix) :]: v for name, v in weights.items() if name.startswith(prefix)}


def _decoder(
    weights: dict[str, torch.Tensor], genes: int, params: dict[str, Any], network: Network
) -> Decoder | None:
    if DECODED not in weights:
        return None
    log_dispersion_G = weights.get("log_dispersion_G")
    output = params.get("output", "linear")
    if output not in (*ACTIVATIONS, "linear"):
        raise ValueError(f"output {output!r}")
    net = MLP(
        [*reversed(network.hidden), genes],
        torch_generator(0, "decoder"),
        activation=network.activation,
        last=None if log_dispersion_G is not None or output == "linear" else output,
        name="decoder",
    )
    net.load_state_dict(_part(weights, "decoder."))
    if weights[DECODED].shape != (genes,):
        raise ValueError(f"{DECODED}: {tuple(weights[DECODED].shape)}, not {(genes,)}")
    return Decoder(net.eval(), log_dispersion_G, weights[DECODED].numpy())


@torch.no_grad()
def embed(encoder: MLP, x_BG: torch.Tensor) -> torch.Tensor:
    """(B, G) log1p expression to (B, D) float32, in chunks."""
    return torch.cat([encoder(part_BG) for part_BG in x_BG.split(CHUNK)])
