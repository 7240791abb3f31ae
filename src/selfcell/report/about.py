"""What the report says of a study beside its results: settings, methods, sources, deviations.

The workflow passes it to the rule as one JSON string, so that the script needs no configuration.
"""

from __future__ import annotations

from typing import Any

from selfcell.catalogue import PACKAGES, docstring, first_line, source_of
from selfcell.data.registry import Artefact
from selfcell.methods.published import DEVIATIONS, RE_SCORED
from selfcell.provenance import short_hash
from selfcell.release import references
from selfcell.study import Study


def about(study: Study) -> dict[str, Any]:
    """Facts of a study as plain lists and mappings.

    Mirrors are left out: where a file is found is no part of what it is, and their paths are those
    of one machine.
    """
    config = study.config.model_dump(mode="json", exclude={"mirrors"})
    return {
        "study": study.config.study,
        "protocol": study.config.protocol,
        "config": config,
        "config_hash": short_hash(config),
        "methods": [_method(study, name) for name in study.methods],
        "sources": _sources(study),
        "deviations": [
            {"name": each.name, "what": each.what, "concerns": ", ".join(each.methods)}
            for each in DEVIATIONS
        ],
        "re_scored": [{"name": name, "what": what} for name, what in RE_SCORED.items()],
    }


def _method(study: Study, name: str) -> dict[str, Any]:
    text = docstring(study.module(name))
    params = study.params(study.methods[name])
    return {
        "name": name,
        "what": first_line(text),
        "source": source_of(text),
        "params": ", ".join(f"{key}: {value}" for key, value in sorted(params.items())),
    }


def _sources(study: Study) -> list[dict[str, str]]:
    """Data sets, then gene table, ontology and gene sets, with licence and citation."""
    rows = []
    for name, each in study.datasets.items():
        row = {
            "name": name,
            "title": each.title,
            "note": each.note,
            **_origin(each.source.artefact),
        }
        rows.append({**row, "citation": each.citation, "licence": each.licence})
    for name in references(study):
        found = study.registry.reference(name)
        row = {"name": name, "title": "", "note": found.note, **_origin(found.source.artefact)}
        rows.append({**row, "citation": found.citation, "licence": found.licence})
    return rows


def _origin(artefact: Artefact) -> dict[str, str]:
    """File or package, and an address where there is one."""
    if artefact.kind == "registry":
        address = f"{PACKAGES}/{artefact.package}/{artefact.version}/"
        return {"place": f"{artefact.package} {artefact.version}", "address": address}
    if artefact.kind == "https":
        return {"place": artefact.file, "address": artefact.url}
    return {"place": "a file of one's own", "address": ""}
