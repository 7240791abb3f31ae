"""Rivals and controls of data integration, by name in `RIVALS`.

`pca` knows nothing of batches; `harmony` and `scvi` are told them. No type is known to any but the
controls: `perfect` is a point a type, `batch_only` a point a batch, `random_embedding` noise.

Shape suffixes: N cells, G genes, D dimensions.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from importlib.util import find_spec

import numpy as np
import pandas as pd

from selfcell import extras
from selfcell.baselines import pca
from selfcell.baselines.base import NONE, OWN_POOL
from selfcell.baselines.random_encoder import embed
from selfcell.errors import ConfigError
from selfcell.keys import derive, generator
from selfcell.specs import IntegrateSpec
from selfcell.tasks.integrate import Arm, Data
from selfcell.tasks.model import new_encoder

log = logging.getLogger("selfcell")

APART = 100.0  # of two points of a control, in standard deviations of the noise around them


def rivals(spec: IntegrateSpec, data: Data) -> Iterator[Arm]:
    """Every rival asked for whose library is there; of the others a message.

    Raises ConfigError for a name that `RIVALS` does not hold.
    """
    unknown = [name for name in spec.rivals if name not in RIVALS]
    if unknown:
        raise ConfigError(f"unknown rival {unknown[0]!r}", f"one of {', '.join(RIVALS)}")
    for name in spec.rivals:
        module, extra = extras.RIVALS.get(name, ("numpy", ""))
        if find_spec(module) is None:
            log.warning(
                "%s: left out, for %s is not installed; "
                "pip install -c envs/constraints.txt -e '.[%s]' and run again to have it",
                name, module, extra,
            )  # fmt: skip
            continue
        yield from RIVALS[name](spec, data)


def _arm(method: str, z_ND: np.ndarray, learned: bool, seed: int = 0, init: str = "none") -> Arm:
    corpus, n_train = (OWN_POOL, len(z_ND)) if learned else (NONE, 0)
    z_ND = np.asarray(z_ND, dtype=np.float32)
    return Arm(method, corpus, init, "baseline", seed, z_ND, n_train)


def _components(spec: IntegrateSpec, data: Data) -> np.ndarray:
    return pca.fit(data.x_NG, spec.network.hidden[-1]).embed(data.x_NG)


def principal(spec: IntegrateSpec, data: Data) -> Iterator[Arm]:
    """Principal components of the cells, as wide as the networks' code."""
    yield _arm("pca", _components(spec, data), True)


def harmony(spec: IntegrateSpec, data: Data) -> Iterator[Arm]:
    """Those components, corrected for the batches.

    Source: Korsunsky et al. 2019 (harmonypy, defaults). Differs from the paper: nothing.
    """
    import harmonypy

    logging.getLogger("harmonypy").setLevel(logging.WARNING)
    batches = pd.DataFrame({"batch": data.batch_N})
    found = harmonypy.run_harmony(_components(spec, data), batches, ["batch"], verbose=False)
    yield _arm("harmony", np.asarray(found.Z_corr), True)


def scvi(spec: IntegrateSpec, data: Data) -> Iterator[Arm]:
    """A variational autoencoder of the counts that is given the batch, once a seed.

    Source: Lopez et al. 2018 (scvi-tools, defaults; the networks' code size as its latent width).
    Differs from the paper: the vocabulary's genes in place of chosen ones.
    """
    import warnings

    from anndata import AnnData

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its own libraries' about one another
        import scvi as tools

        for seed in spec.seeds:
            tools.settings.seed = derive("scvi", seed) % 2**31
            counts = data.cells.rows(np.arange(len(data.cells.ids)))
            cells = AnnData(counts, obs=pd.DataFrame({"batch": data.batch_N}).rename(index=str))
            tools.model.SCVI.setup_anndata(cells, batch_key="batch")
            model = tools.model.SCVI(cells, n_latent=spec.network.hidden[-1])
            model.train(accelerator="cpu", logger=False, enable_progress_bar=False)
            z_ND = model.get_latent_representation()
            yield _arm("scvi", z_ND, True, seed, "random")


def random_encoder(spec: IntegrateSpec, data: Data) -> Iterator[Arm]:
    """The study's encoder with its initial weights, once a seed."""
    for seed in spec.seeds:
        net = new_encoder(data.x_NG.shape[1], spec.network, seed).eval()
        yield _arm("random_encoder", embed(net, data.x_NG), False, seed, "random")


def _around(label_N: np.ndarray, width: int, *key: object) -> np.ndarray:
    """(N, D) unit noise around a point for each label, which lie `APART` from one another."""
    names, code_N = np.unique(label_N, return_inverse=True)
    noise_ND = generator("integrate", *key).standard_normal((len(label_N), width))
    at_ND = np.zeros((len(label_N), max(width, len(names))))
    at_ND[np.arange(len(label_N)), code_N] = APART / np.sqrt(2)
    at_ND[:, :width] += noise_ND
    return at_ND


def perfect(spec: IntegrateSpec, data: Data) -> Iterator[Arm]:
    """Noise around a point for each type: all that an embedding can know of types, and no batch."""
    width = spec.network.hidden[-1]
    yield _arm("perfect", _around(data.type_N, width, data.name, "type"), False)


def batch_only(spec: IntegrateSpec, data: Data) -> Iterator[Arm]:
    """Noise around a point for each batch: the floor of every metric of batches."""
    width = spec.network.hidden[-1]
    yield _arm("batch_only", _around(data.batch_N, width, data.name, "batch"), False)


def random_embedding(spec: IntegrateSpec, data: Data) -> Iterator[Arm]:
    """Noise alone: batches as together as can be, and no biology."""
    for seed in spec.seeds:
        z_ND = generator("integrate", data.name, "noise", seed).standard_normal(
            (len(data.type_N), spec.network.hidden[-1])
        )
        yield _arm("random_embedding", z_ND, False, seed, "random")


RIVALS: dict[str, Callable[[IntegrateSpec, Data], Iterator[Arm]]] = {
    "pca": principal,
    "harmony": harmony,
    "scvi": scvi,
    "random_encoder": random_encoder,
    "random_embedding": random_embedding,
    "batch_only": batch_only,
    "perfect": perfect,
}
