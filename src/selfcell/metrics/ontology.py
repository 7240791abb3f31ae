"""The Cell Ontology as a set of terms with their ancestors, read from three formats.

Relations are `is_a` only: a part of a cell, or what a cell develops from, is not its ancestor.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from selfcell.errors import DataError

NEEDED = "an ontology as .json or .json.zst (term -> ancestors, or OBO Graphs) or .obo"
LARGEST = 1 << 28  # bytes of an unpacked file; a corrupt header must not fill the memory
PURL, REPLACED_BY = "http://purl.obolibrary.org/obo/", "IAO_0100001"


@dataclass(frozen=True)
class Ontology:
    """Terms of an ontology.

    Attributes:
        names: name of each live term, by id.
        ancestors: strict ancestors of each live term, by id, the root included.
        replaced: for obsolete ids, the live term that replaces them, where there is one.
    """

    names: Mapping[str, str]
    ancestors: Mapping[str, frozenset[str]]
    replaced: Mapping[str, str]

    def resolve(self, term: str) -> str | None:
        """The live term of an id: itself, its replacement if it is obsolete, or None."""
        term = self.replaced.get(term, term)
        return term if term in self.names else None

    def is_within(self, term: str, other: str) -> bool:
        """Whether live term `term` is `other` or a descendant of it."""
        return term == other or other in self.ancestors[term]

    @cached_property
    def descendants(self) -> Mapping[str, int]:
        """Number of strict descendants of each live term."""
        count = dict.fromkeys(self.names, 0)
        for above in self.ancestors.values():
            for term in above:
                count[term] += 1
        return count

    def information(self, term: str) -> float:
        """Intrinsic information content, in [0, 1]: 0 for the root of everything, 1 for a leaf.

        IC(t) = 1 - log(descendants(t) + 1) / log(number of terms).

        Source: Seco, Veale & Hayes 2004, eq. 1 (no annotation corpus needed).
        Differs from the paper: nothing.
        """
        if len(self.names) < 2:
            return 1.0
        return 1.0 - float(np.log(self.descendants[term] + 1) / np.log(len(self.names)))

    def lin(self, term: str, other: str) -> float:
        """Similarity of two live terms, in [0, 1]; symmetric, 1 for a term and itself.

        Twice the information of the most informative common ancestor over the sum of both terms'
        information. Terms without a common ancestor have 0.

        Source: Lin 1998, eq. for similarity in a taxonomy, with the IC of `information`.
        Differs from the paper: nothing.
        """
        if term == other:
            return 1.0
        common = (self.ancestors[term] | {term}) & (self.ancestors[other] | {other})
        shared = max((self.information(above) for above in common), default=0.0)
        total = self.information(term) + self.information(other)
        return 2.0 * shared / total if total > 0 else 0.0


def read(path: Path | str) -> Ontology:
    """Read an ontology: JSON or zstd-packed JSON of the cellxgene-ontology-guide, or OBO or OBO
    Graphs (JSON) of the OBO Foundry.

    Raises:
        DataError: another format, a broken file, a cycle, or an ancestor that is no term.
    """
    path = Path(path)
    raw = path.read_bytes()
    if path.suffix == ".zst":
        raw = _unpack(raw, path)
    is_obo = path.name.removesuffix(".zst").endswith(".obo")
    try:
        text = raw.decode("utf-8")
        return _from_obo(text, path) if is_obo else _from_json(json.loads(text), path)
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise DataError(f"{path}: {error}", NEEDED) from error


def _unpack(raw: bytes, path: Path) -> bytes:
    import zstandard

    try:
        with zstandard.ZstdDecompressor().stream_reader(raw) as stream:
            text = stream.read(LARGEST + 1)
    except zstandard.ZstdError as error:
        raise DataError(f"{path}: {error}", NEEDED) from error
    if len(text) > LARGEST:
        raise DataError(f"{path} unpacks to more than {LARGEST} bytes", NEEDED)
    return text


def _from_json(terms: object, path: Path) -> Ontology:
    """The layout {id: {label, ancestors: {id: distance}, deprecated, replaced_by}}, or a graph."""
    if isinstance(terms, dict) and "graphs" in terms:
        try:
            return _checked(_from_graphs(terms["graphs"], path), path)
        except (AttributeError, KeyError, TypeError) as error:
            raise DataError(f"{path} is no OBO graph ({error!r})", NEEDED) from error
    if not isinstance(terms, dict) or not all(
        isinstance(term, dict) and isinstance(term.get("ancestors"), dict)
        for term in terms.values()
    ):
        raise DataError(f"{path} is not a mapping of terms with `ancestors`", NEEDED)
    live = {key: term for key, term in terms.items() if not term.get("deprecated")}
    names = {key: str(term.get("label", key)) for key, term in live.items()}
    ancestors = {key: frozenset(term["ancestors"]) for key, term in live.items()}
    replaced = {
        key: str(term["replaced_by"])
        for key, term in terms.items()
        if term.get("deprecated") and term.get("replaced_by")
    }
    return _checked(Ontology(names, ancestors, replaced), path)


def _from_graphs(graphs: Sequence[dict[str, Any]], path: Path) -> Ontology:
    """OBO Graphs, as the OBO Foundry writes JSON: classes, and their edges "is_a"."""
    names: dict[str, str] = {}
    replaced: dict[str, str] = {}
    edges: list[tuple[str, str]] = []
    for graph in graphs:
        for node in graph["nodes"]:
            key, meta = _curie(node["id"]), node.get("meta", {})
            if meta.get("deprecated"):
                known = meta.get("basicPropertyValues", [])
                new = [_curie(own["val"]) for own in known if own["pred"].endswith(REPLACED_BY)]
                replaced |= {key: new[0]} if new else {}
            elif node.get("type") == "CLASS":
                names[key] = str(node.get("lbl", key))
        own = (edge for edge in graph.get("edges", []) if edge["pred"] == "is_a")
        edges += [(_curie(edge["sub"]), _curie(edge["obj"])) for edge in own]
    parents: dict[str, list[str]] = {key: [] for key in names}
    for term, above in edges:
        if term in parents:
            parents[term].append(above)
    return Ontology(names, _closure(parents, path), replaced)


def _curie(iri: str) -> str:
    """CL:0000540 of http://purl.obolibrary.org/obo/CL_0000540; other names as they are."""
    return iri.removeprefix(PURL).replace("_", ":", 1) if iri.startswith(PURL) else iri


def _from_obo(text: str, path: Path) -> Ontology:
    names: dict[str, str] = {}
    parents: dict[str, list[str]] = {}
    replaced: dict[str, str] = {}
    for tags in _stanzas(text):
        key = tags.get("id", [""])[0]
        if not key:
            raise DataError(f"{path}: a [Term] without an id", NEEDED)
        if tags.get("is_obsolete") == ["true"]:
            if tags.get("replaced_by"):
                replaced[key] = tags["replaced_by"][0]
            continue
        names[key] = tags.get("name", [key])[0]
        parents[key] = tags.get("is_a", [])
    if not names:
        raise DataError(f"{path} holds no [Term]", NEEDED)
    return _checked(Ontology(names, _closure(parents, path), replaced), path)


def _stanzas(text: str) -> Iterator[dict[str, list[str]]]:
    """Tags of each [Term]; modifiers in braces and comments after `!` are dropped."""
    for block in ("\n" + text).split("\n[Term]")[1:]:
        tags: dict[str, list[str]] = {}
        for line in block.splitlines():
            if line.startswith("["):
                break
            tag, found, value = line.partition(": ")
            if found:
                value = value if tag == "name" else value.split(" !")[0].split(" {")[0]
                tags.setdefault(tag, []).append(value.strip())
        yield tags


def _closure(parents: Mapping[str, list[str]], path: Path) -> dict[str, frozenset[str]]:
    """Strict ancestors by walking up from each term; a term that meets itself is a cycle."""
    ancestors: dict[str, frozenset[str]] = {}
    for term in parents:
        seen: set[str] = set()
        todo = list(parents[term])
        while todo:
            above = todo.pop()
            if above == term:
                raise DataError(f"{path}: {term} is an ancestor of itself", "is_a without cycles")
            if above not in seen:
                seen.add(above)
                todo += parents.get(above, [])
        ancestors[term] = frozenset(seen)
    return ancestors


def _checked(ontology: Ontology, path: Path) -> Ontology:
    if not ontology.names:
        raise DataError(f"{path} holds no term", NEEDED)
    for term, above in ontology.ancestors.items():
        lost = sorted(above - set(ontology.names))
        if lost:
            raise DataError(
                f"{path}: {term} has the ancestor {lost[0]}, which is no live term", NEEDED
            )
        if term in above:
            raise DataError(f"{path}: {term} is an ancestor of itself", "is_a without cycles")
    return ontology
