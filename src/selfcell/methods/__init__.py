"""The pretext tasks. Adding one: a file in this folder, a line in `METHODS`, a reference test.

`METHODS` names modules instead of importing them, so that a job loads (and its code digest
covers) the one method it runs. Each module holds `Params`, a dataclass of hyper-parameters made
with `params.param`, and `build(params, context)`, which returns a `base.Method`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

METHODS: dict[str, str] = {
    "random_mask": "selfcell.methods.random_mask",
    "gene_programme": "selfcell.methods.gene_programme",
    "gp_to_gp": "selfcell.methods.gp_to_gp",
    "gp_to_tf": "selfcell.methods.gp_to_tf",
    "byol": "selfcell.methods.byol",
    "simsiam": "selfcell.methods.simsiam",
    "barlow_twins": "selfcell.methods.barlow_twins",
    "simclr": "selfcell.methods.simclr",
    "vicreg": "selfcell.methods.vicreg",
    "gene_programme_permuted": "selfcell.methods.gene_programme_permuted",
    "random_mask_matched": "selfcell.methods.random_mask_matched",
}


def parameters(method: str, values: Mapping[str, Any], where: str) -> Any:
    """Checked hyper-parameters of a method, defaults filled in, without importing torch.

    Raises:
        ConfigError: the method or one of the parameters is unknown, or a value out of range.
    """
    from difflib import get_close_matches

    from selfcell.errors import ConfigError
    from selfcell.methods.params import read, schema_of

    if method not in METHODS:
        near = get_close_matches(method, METHODS, n=1, cutoff=0.0)
        raise ConfigError(
            f"{where}: unknown method {method!r}",
            f"one of {', '.join(METHODS)}",
            f"did you mean {near[0]!r}?" if near else "",
        )
    return read(schema_of(METHODS[method]), values, where)
