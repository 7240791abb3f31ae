"""Tables of what the project holds, in Markdown: methods, baselines, data, gene sets, citations.

Written from the modules' docstrings, the methods' `Params` and `resources/datasets.yaml`.
"""

from __future__ import annotations

import ast
import dataclasses
import importlib.util
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import yaml

from selfcell.baselines import BASELINES
from selfcell.data.registry import Artefact, Registry, Source
from selfcell.errors import DataError
from selfcell.figures import FIGURES
from selfcell.figures.paper import PAPER
from selfcell.methods import METHODS
from selfcell.methods.params import schema_of
from selfcell.release import sources
from selfcell.study import Study

PACKAGES = "https://pypi.org/project"
CENSUS = "https://chanzuckerberg.github.io/cellxgene-census/"


def markdown(head: Sequence[str], rows: Iterable[Sequence[object]], right: str = "") -> str:
    """A Markdown table.

    Args:
        head: column names. rows: cells; a bar in one is escaped.
        right: names of the columns, separated by commas, that are set flush right.
    """
    flush = {name.strip() for name in right.split(",")}
    lines = [head, ["---:" if name in flush else "---" for name in head]]
    lines += [[str(cell).replace("|", "\\|").replace("\n", " ") for cell in row] for row in rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def docstring(module: str) -> str:
    """A module's docstring, read without importing it. Raises DataError if there is none."""
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise DataError(f"there is no module {module}", "a module of this package")
    text = ast.get_docstring(ast.parse(Path(spec.origin).read_text(encoding="utf-8")))
    if not text:
        raise DataError(f"{module} has no docstring", "one line of what it is")
    return text


def first_line(text: str) -> str:
    """First paragraph of a docstring, as one line without its full stop."""
    return " ".join(text.split("\n\n")[0].split()).rstrip(".")


def source_of(text: str) -> str:
    """What a docstring says after `Source:`, as one line; "" where it does not say."""
    found = re.search(r"^Source: (.*?)(?=\n\n|\nDiffers|\Z)", text, re.DOTALL | re.MULTILINE)
    return " ".join(found[1].split()).rstrip(".") if found else ""


def methods() -> str:
    """The pretext tasks, and their parameters folded away below them."""
    rows = []
    for name, module in METHODS.items():
        text = docstring(module)
        rows.append([f"`{name}`", first_line(text), source_of(text)])
    table = markdown(["Method", "What", "Source"], rows)
    settings = [
        [f"`{name}`", f"`{field.name}`", _shown(field.default), *_about(field)]
        for name, module in METHODS.items()
        for field in dataclasses.fields(schema_of(module))
    ]
    folded = markdown(["Method", "Parameter", "Default", "May be", "What"], settings)
    title = "<details><summary>Parameters of each method, with defaults</summary>"
    return f"{table}\n\n{title}\n\n{folded}\n\n</details>"


def method_pages() -> str:
    """Each pretext task as its module describes it: the body of docs/methods.md."""
    look = "members: false, show_root_heading: false, show_root_toc_entry: false, heading_level: 3"
    return "\n\n".join(
        f"## {name.replace('_', ' ')}\n\n::: {module}\n    options: {{{look}}}"
        for name, module in METHODS.items()
    )


def _about(field: dataclasses.Field[Any]) -> tuple[str, str]:
    """Range and description of a parameter."""
    low, high, choices = (field.metadata[key] for key in ("low", "high", "choices"))
    if choices:
        values = ", ".join(choices)
    elif isinstance(field.default, bool):
        values = "true, false"
    elif low is None and high is None:
        values = "any"
    else:
        values = f"{'' if low is None else f'{low:g}'} to {'' if high is None else f'{high:g}'}"
    return values, field.metadata["doc"]


def _shown(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value) or '""'


def baselines() -> str:
    """The simple rivals and controls."""
    rows = [[f"`{name}`", first_line(docstring(module))] for name, module in BASELINES.items()]
    return markdown(["Baseline", "What"], rows)


def link(artefact: Artefact) -> str:
    """Where an artefact comes from: a package with its version, or the place of a file."""
    if artefact.kind == "registry":
        form = "source archive of " if artefact.sdist else ""
        name = f"[{artefact.package}]({PACKAGES}/{artefact.package}/{artefact.version}/)"
        return f"{form}{name} {artefact.version}"
    if artefact.census:
        return f"the [CELLxGENE Census]({CENSUS}) of {artefact.census.version}"
    if artefact.url.startswith("https://raw.githubusercontent.com/"):
        owner, project, commit = artefact.url.split("/")[3:6]
        return f"[{owner}/{project}](https://github.com/{owner}/{project}/tree/{commit})"
    return f"[{artefact.file}]({artefact.url})"


def datasets(registry: Registry) -> str:
    """Data sets that a configuration may name, with licences and citations, as a list."""
    lines = []
    for name, each in registry.datasets.items():
        places = " and ".join(dict.fromkeys(link(part.artefact) for part in each.sources))
        note = f" *{each.note}*" if each.note else ""
        lines.append(
            f"- `{name}`: {each.title}, out of {places}. Cite {each.citation}."
            f" Licence: {each.licence}.{note}"
        )
    return "\n".join(lines)


def gene_sets(registry: Registry) -> str:
    """Collections of gene sets, the gene table and the ontology; one row for each origin."""
    rows: dict[tuple[str, str, str], list[str]] = {}
    for part in (registry.genesets, registry.references):
        for name, each in part.items():
            origin = (each.citation, each.licence, link(each.source.artefact))
            rows.setdefault(origin, []).append(f"`{name}`")
    head = ["Name", "Citation", "Licence", "From"]
    return markdown(head, [[", ".join(names), *origin] for origin, names in rows.items()])


def carriers(registry: Registry) -> str:
    """Packages that files are read out of; none is installed."""
    rows = [
        [link(each), f"{each.size_mb:.1f} MB", each.licence, each.citation.split(",")[0]]
        for each in registry.artefacts.values()
        if each.kind == "registry"
    ]
    return markdown(["Package", "Size", "Licence", "Name"], rows, right="Size")


def downloads(study: Study) -> str:
    """What a study fetches, each file once, and the sum."""
    wanted: dict[str, Artefact] = {}
    members: dict[str, list[str]] = {}
    for part in sources(study):
        wanted[part.artefact.name] = part.artefact
        members.setdefault(part.artefact.name, []).append(_member(part))
    rows = [
        [
            link(each),
            ", ".join(f"`{name}`" for name in dict.fromkeys(members[key])),
            f"{each.size_mb:.1f} MB",
        ]
        for key, each in wanted.items()
        if each.kind != "local"
    ]
    total = sum(each.size_mb for each in wanted.values())
    table = markdown(["From", "Files read", "Download"], rows, right="Download")
    return f"{table}\n\nTogether {total:.0f} MB for the study `{study.config.study}`."


def _member(source: Source) -> str:
    return source.member[-1].split("/")[-1] if source.member else source.file


def citation(path: Path) -> str:
    """The paper that CITATION.cff prefers to be cited, as one line and as BibTeX."""
    paper = yaml.safe_load(path.read_text(encoding="utf-8"))["preferred-citation"]
    authors = paper["authors"]
    short = ", ".join(
        f"{each['family-names']} {''.join(word[0] for word in each['given-names'].split())}"
        for each in authors
    )
    full = " and ".join(f"{each['family-names']}, {each['given-names']}" for each in authors)
    url = f"https://doi.org/{paper['doi']}"
    line = f"{short}. {paper['title']}. *{paper['journal']}* ({paper['year']}). <{url}>"
    fields = {
        "author": full, "title": paper["title"], "journal": paper["journal"],
        "year": paper["year"], "doi": paper["doi"],
    }  # fmt: skip
    body = ",\n".join(f"  {key} = {{{value}}}" for key, value in fields.items())
    key = f"{authors[0]['family-names'].lower()}{paper['year']}"
    return f"{line}\n\n```bibtex\n@article{{{key},\n{body}\n}}\n```"


def figures(root: Path) -> dict[str, str]:
    """The generated parts of docs/figures.md: every figure here, and those of the paper.

    Args:
        root: of the checkout, for the captions.
    """
    titles = []
    for name in FIGURES:
        text = (root / f"workflow/report/{name}.rst").read_text(encoding="utf-8")
        title = " ".join(text.split("**")[1].split()).rstrip(".")
        titles.append([f"[`{name}`](../workflow/report/{name}.rst)", title])
    rows = [
        [each.what, ", ".join(f"`{name}`" for name in each.drawn) or "not drawn", each.rest]
        for each in PAPER
    ]
    return {
        "figures": markdown(["Figure, caption", "What it shows"], titles),
        "paper": markdown(["In the paper", "Here", "Not drawn"], rows),
    }
