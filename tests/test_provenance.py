"""Code digests follow imports, and nothing else."""

import shutil
import subprocess
import sys

import pytest

from selfcell import provenance

PROBE = "from selfcell.provenance import code_digest; print(code_digest(*{roots!r}))"


@pytest.fixture
def copy(tmp_path):
    """A copy of the package with three scripts, whose digests a fresh process computes."""
    shutil.copytree(provenance.PACKAGE, tmp_path / "selfcell")
    scripts = {
        "masked": "def main():\n    from selfcell.masks.random import random_mask\n",
        "plain": "import selfcell.errors\n",
    }
    for name, text in scripts.items():
        (tmp_path / f"{name}.py").write_text(text)

    def digest(*roots):
        paths = [str(tmp_path / root) if root.endswith(".py") else root for root in roots]
        result = subprocess.run(
            [sys.executable, "-c", PROBE.format(roots=tuple(paths))],
            capture_output=True, text=True, check=True, cwd=tmp_path,
            env={"PYTHONPATH": str(tmp_path)},
        )  # fmt: skip
        return result.stdout.strip()

    return tmp_path / "selfcell", digest


def test_editing_a_module_changes_the_digest_of_its_importers_only(copy):
    package, digest = copy
    before = digest("masked.py"), digest("plain.py")
    with open(package / "rng.py", "a") as stream:  # masks.random imports it, errors does not
        stream.write("# edited\n")
    assert digest("masked.py") != before[0]
    assert digest("plain.py") == before[1]


def test_a_method_counts_for_itself_only(copy):
    package, digest = copy
    (package / "methods" / "other.py").write_text("import selfcell.errors\n")
    script = "plain.py"
    before = [digest(script, f"selfcell.methods.{name}") for name in ("random_mask", "other")]
    with open(package / "methods" / "other.py", "a") as stream:
        stream.write("# edited\n")
    after = [digest(script, f"selfcell.methods.{name}") for name in ("random_mask", "other")]
    assert after[0] == before[0]
    assert after[1] != before[1]


def test_the_pretrain_script_does_not_import_the_methods():
    script = provenance.ROOT / "workflow" / "scripts" / "pretrain.py"
    files = {path.name for path in provenance.code_files([script])}
    assert "loop.py" in files
    assert "random_mask.py" not in files
    assert "config.py" not in files


def test_card_names_versions_hardware_and_cost():
    card = provenance.card(
        rule="r", run_hash="h", spec={"a": 1}, inputs={"data": "x"}, code="c",
        seeds={"seed": 1}, cost={"wall_s": 1.0}, threads=1,
    )  # fmt: skip
    assert card["versions"]["torch"].startswith("2.")
    assert card["config_hash"] == provenance.short_hash({"a": 1})
    assert {"machine", "cores", "bf16"} <= set(card["hardware"])
    assert card["git"] == provenance.git_revision() != "unknown"
    assert (card["code"], card["inputs"], card["seeds"]) == ("c", {"data": "x"}, {"seed": 1})


def test_a_line_in_the_list_of_methods_re_runs_nothing(copy):
    package, digest = copy
    script = package.parent / "listing.py"
    script.write_text("from selfcell.methods import parameters\n")
    before = digest("listing.py")
    with open(package / "methods" / "__init__.py", "a") as stream:
        stream.write("METHODS['other'] = 'selfcell.methods.other'\n")
    assert digest("listing.py") == before
