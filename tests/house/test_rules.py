"""Rule X is workflow/scripts/X.py, and every rule logs, measures and names its environment."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from textwrap import dedent, indent

import pytest

from selfcell.figures import FIGURES
from tests.tree import REPO, tracked

TARGETS = {"all", "figures"}  # rules that gather files and run nothing
TOOLS = {"schema", "readme", "release", "study"}  # the Makefile runs them, outside any study
RULE_FILES = tracked("Snakefile", "workflow/*.smk")
START = re.compile(r"^(?:rule|checkpoint) (\w+):$", re.MULTILINE)
# A rule made for each figure: `rule:` in a loop, named by an f-string that begins with its kind.
LOOP = re.compile(
    r"^for name in \w+:\n\n    rule:\n        name:\n            f\"(\w+)_\{name\}\"\n"
)


def rules() -> dict[str, str]:
    """Name and text of each rule that runs something."""
    found: dict[str, str] = {}
    for path in RULE_FILES:
        text = (REPO / path).read_text(encoding="utf-8")
        looped = re.split(r"(?m)^(?=for name in )", text)
        parts = START.split(looped[0])
        for loop in looped[1:]:
            kind = LOOP.match(loop)
            assert kind, f"{path}: a loop that is no rule for each name"
            body = "\n" + indent(dedent(loop[kind.end() :]), "    ")
            for each in FIGURES:
                parts += [f"{kind[1]}_{each}", re.sub(r"\{+(params\.)?name\}+", each, body)]
        for name, text in zip(parts[1::2], parts[2::2], strict=True):
            if name not in TARGETS:
                found[name] = re.split(r"^\S", text, maxsplit=1, flags=re.MULTILINE)[0]
    return found


RULES = rules()
SCRIPTS = {path.stem: path for path in tracked("workflow/scripts/*.py")}


def test_the_chain_is_there() -> None:
    assert set(RULES) >= {"download", "qc", "vocabulary", "store", "split", "audit", "figure_qc"}


@pytest.mark.parametrize("name", RULES)
def test_rule_has_a_script_of_its_name(name: str) -> None:
    assert name in SCRIPTS
    assert re.findall(r"(\w+)\.py\b", RULES[name].split("shell:")[-1]) == [name]


@pytest.mark.parametrize("name", RULES)
def test_rule_finds_its_script_from_any_folder(name: str) -> None:
    """A study of the reader's own runs in a folder without the workflow's files."""
    assert 'f"python3 {SCRIPTS}/' in RULES[name]
    assert not re.search(r"[\"'](workflow|resources)/", RULES[name])


@pytest.mark.parametrize("name", RULES)
def test_rule_names_folders_by_params(name: str) -> None:
    """The shell splits what it computes from a path with a space in it."""
    assert "$(" not in RULES[name]


@pytest.mark.parametrize("name", SCRIPTS)
def test_script_has_a_rule_of_its_name(name: str) -> None:
    makefile = (REPO / "Makefile").read_text(encoding="utf-8")
    assert name in RULES or (name in TOOLS and f"workflow/scripts/{name}.py" in makefile)


@pytest.mark.parametrize("part", ["input", "output", "log", "benchmark", "conda", "shell"])
@pytest.mark.parametrize("name", RULES)
def test_rule_is_complete(name: str, part: str) -> None:
    if part == "input" and name in {"download", "reference"}:
        return  # the chain begins here
    assert re.search(rf"^    {part}:", RULES[name], re.MULTILINE), f"rule {name} has no {part}"


@pytest.mark.parametrize("name", RULES)
def test_rule_starts_a_script_and_nothing_else(name: str) -> None:
    assert not re.search(r"^    (run|script|notebook|wrapper):", RULES[name], re.MULTILINE)


@pytest.mark.parametrize("name", RULES)
def test_environment_of_the_rule_exists(name: str) -> None:
    found = re.search(r"^    conda:\s*(\S+)", RULES[name], re.MULTILINE)
    assert found
    text = (REPO / "workflow/rules/common.smk").read_text(encoding="utf-8")
    constants = dict(re.findall(r"^([A-Z]+) = (\".*\")$", text, re.MULTILINE))
    environment = constants.get(found[1], found[1]).strip('"')
    assert (REPO / "workflow" / "rules" / environment).resolve().is_file()


@pytest.mark.slow
@pytest.mark.parametrize("name", SCRIPTS)
def test_script_runs_without_the_workflow(name: str) -> None:
    command = [sys.executable, str(REPO / SCRIPTS[name]), "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "usage:" in done.stdout


def test_script_needs_little_to_start() -> None:
    source = "import sys\nfrom selfcell import job\nprint(*sys.modules)"
    out = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True)
    assert not {"torch", "scanpy", "pandas", "sklearn"} & set(out.stdout.split())


def test_a_figure_has_a_script_a_caption_and_a_module() -> None:
    scripts = {name for name in SCRIPTS if name.startswith("figure_")}
    assert scripts == {f"figure_{name}" for name in FIGURES}
    assert [f"selfcell.figures.{name}" for name in FIGURES] == list(FIGURES.values())
    captions = {path.stem for path in tracked("workflow/report/*.rst")} - {"workflow"}
    assert captions == set(FIGURES)


def test_profiles_compute_nothing() -> None:
    for path in tracked("profiles/*/config.yaml"):
        text = (REPO / path).read_text(encoding="utf-8")
        assert not re.search(r"^(config|configfile|configfiles):", text, re.MULTILINE), path
    assert Path("profiles/default/config.yaml") in tracked("profiles/*")
