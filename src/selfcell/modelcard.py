"""A model's card in Markdown, written from its model.json alone."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from selfcell.catalogue import markdown as table
from selfcell.errors import StoreError

GATE = {
    "ok": "it learned: the learning gate is passed",
    "not_learned": "**it did not pass the learning gate**: its embedding may be no better than one "
    "of random weights",
    "collapsed": "**it collapsed**: all cells embed to one point; do not use it",
    "diverged": "**its loss diverged**; do not use it",
    "unchecked": "the learning gate was not run on it",
}


def front_matter(about: Mapping[str, Any]) -> str:
    """What the Hugging Face Hub reads of a card: library, licence, tags."""
    import yaml

    licence = about["licence"].strip()
    known = re.fullmatch(r"[A-Za-z0-9.\-]{1,30}", licence)
    fields: dict[str, Any] = {"library_name": "selfcell"}
    fields |= {"license": licence.lower()} if known else {"license": "other"}
    if not known:
        fields["license_name"] = licence
    fields["tags"] = ["single-cell", "biology", "selfcell", about["spec"]["method"]]
    return f"---\n{yaml.safe_dump(fields, sort_keys=False, allow_unicode=True)}---\n\n"


def markdown(about: Mapping[str, Any], name: str) -> str:
    """The card.

    Args:
        about: model.json. name: of the folder, as shown.

    Raises:
        StoreError: model.json holds what no version wrote.
    """
    try:
        return _markdown(about, name)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        got = f"model.json is not as it was written ({type(error).__name__}: {error})"
        raise StoreError(got, remedy="copy the folder whole from where it came") from error


def _markdown(about: Mapping[str, Any], name: str) -> str:
    spec = about["spec"]
    settings = {
        "Method": f"`{spec['method']}` (task `{spec['task']}`, protocol {spec['protocol']})",
        "Parameters": _pairs(spec["params"]) or "defaults",
        "Encoder": f"{len(about['gene_ids'])} genes, {_widths(spec['network'])}",
        "Training": _training(about),
        "Preprocessing": _pairs(about["preprocessing"]),
        "Vocabulary": f"`{about['vocabulary']}`: {', '.join(about['symbols'][:8])}, ...",
        "Run": f"`{about.get('run_hash') or 'unknown'}`, selfcell {about['selfcell']}, "
        f"model format {about['format']}",
        "Licence": about["licence"],
    }
    parts = [
        f"# {name}",
        f"An encoder of single cells, pre-trained without labels by `{spec['method']}`.",
        "## Trained on",
        _trained_on(about),
        "## Did it learn",
        _health(about),
        "## What it is",
        table(["Setting", "Value"], settings.items()),
        "## How to load it",
        _loading(name),
    ]
    return "\n\n".join(parts)


def _training(about: Mapping[str, Any]) -> str:
    spec = about["spec"]
    if "training" not in spec:
        return "unknown: imported"
    training = spec["training"]
    # Folders of before runs could end otherwise do not say how theirs did: by their steps.
    steps, ended = about.get("steps", training["steps"]), about.get("ended", "max_steps")
    text = (
        f"{steps} steps of {training['batch']} cells, learning rate "
        f"{training['lr']:g}, seed {spec['seed']}"
    )
    return text if ended == "max_steps" else f"{text}; ended by {ended}"


def _trained_on(about: Mapping[str, Any]) -> str:
    if imported := about.get("imported"):
        return (
            f"Not recorded here: imported from the checkpoint `{imported['file']}` (sha256 "
            f"`{imported['sha256']}`)."
        )
    corpus, spec = about.get("corpus", {}), about["spec"]["corpus"]
    sources = ", ".join(map(_source, spec["sources"]))
    lines = [f"Corpus `{spec['name']}`, cells of {sources}."]
    if corpus:
        lines.append(
            f"{corpus['n_cells']} cells (hash `{corpus['cells']}`): {corpus['n_train']} trained "
            f"on, {corpus['n_validation']} held back to watch, {corpus['excluded']} test cells "
            "left out beforehand."
        )
    inputs = about.get("inputs", {})
    lines += [f"- {name}: `{value}`" for name, value in sorted(inputs.items())]
    return "\n".join(lines)


def _source(source: Mapping[str, Any]) -> str:
    """A data set, and which of its cells."""
    chosen = f"training pool of {source['pool_of']}" if source["pool_of"] else ""
    chosen = chosen or "; ".join(
        f"{column} {', '.join(values)}" for column, values in source["where"].items()
    )
    return f"`{source['dataset']}`" + (f" ({chosen})" if chosen else "")


def _health(about: Mapping[str, Any]) -> str:
    health, said = about["health"], f"Status `{about['status']}`: {GATE[about['status']]}."
    if not health:
        return said
    return (
        f"{said} On validation cells: {health['kind']} {health['value']:.3f} (learned above "
        f"{health['threshold']:.3f}), effective rank {health['effective_rank']:.1f}, spread "
        f"{health['spread']:.3g}."
    )


def _loading(name: str) -> str:
    code = f'import selfcell\n\nmodel = selfcell.load("{name}")\nmodel.embed(adata)'
    return f'```python\n{code}  # raw counts in X; writes adata.obsm["X_selfcell"]\n```'


def _pairs(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} {value}" for key, value in sorted(values.items()))


def _widths(network: Mapping[str, Any]) -> str:
    widths = "-".join(map(str, network["hidden"]))
    return f"{widths}, {network['activation']}, dropout {network['dropout']}"
