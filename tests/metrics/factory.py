"""A toy ontology of six terms, in the formats that are read.

root - a - b - d     (d also is_a c)
        \\- c     e is_a root
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

ANCESTORS = {
    "T:root": {},
    "T:a": {"T:root": 1},
    "T:b": {"T:a": 1, "T:root": 2},
    "T:c": {"T:a": 1, "T:root": 2},
    "T:d": {"T:b": 1, "T:c": 1, "T:a": 2, "T:root": 3},
    "T:e": {"T:root": 1},
}
OBO = """format-version: 1.2
ontology: toy

[Term]
id: T:root
name: root

[Term]
id: T:a
name: a cell: of kind a
is_a: T:root ! root

[Term]
id: T:b
name: b
is_a: T:a {source="x"} ! a

[Term]
id: T:c
name: c
is_a: T:a
relationship: part_of T:e ! not a kind of e

[Term]
id: T:d
name: d
is_a: T:b ! b
is_a: T:c ! c

[Term]
id: T:e
name: e
is_a: T:root

[Term]
id: T:old
name: obsolete d
is_obsolete: true
replaced_by: T:d

[Typedef]
id: part_of
name: part of
"""


def graph() -> dict[str, Any]:
    """The toy ontology as the OBO Foundry's graphs, under names such as its own."""

    def iri(key: str) -> str:
        return "http://purl.obolibrary.org/obo/" + key.replace(":", "_")

    parents = [(k, a) for k, above in ANCESTORS.items() for a, n in above.items() if n == 1]
    new = {"pred": iri("IAO:0100001"), "val": iri("T:d")}
    old = {"deprecated": True, "basicPropertyValues": [{"pred": "x#note", "val": "gone"}, new]}
    nodes = [{"id": iri(key), "lbl": key[2:], "type": "CLASS"} for key in ANCESTORS]
    nodes += [{"id": iri("T:old"), "type": "CLASS", "meta": old}]
    nodes += [{"id": iri("part:of"), "lbl": "part of", "type": "PROPERTY"}]
    edges = [{"sub": iri(a), "pred": "is_a", "obj": iri(b)} for a, b in parents]
    edges += [{"sub": iri("T:c"), "pred": iri("part:of"), "obj": iri("T:e")}]
    edges += [{"sub": iri("T:old"), "pred": "is_a", "obj": iri("T:root")}]
    return {"graphs": [{"id": "toy", "nodes": nodes, "edges": edges}]}


def write_json(path: Path, packed: bool = False) -> Path:
    """The toy ontology as JSON, zstd-packed if asked."""
    terms: dict[str, dict[str, object]] = {
        key: {"label": key[2:], "ancestors": above, "deprecated": False}
        for key, above in ANCESTORS.items()
    }
    terms["T:old"] = {"ancestors": {}, "deprecated": True, "replaced_by": "T:d", "label": "x"}
    raw = json.dumps(terms).encode()
    if packed:
        import zstandard

        raw = zstandard.ZstdCompressor().compress(raw)
    path.write_bytes(raw)
    return path
