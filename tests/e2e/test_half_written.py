"""A disk that fills while a script writes, and results cut short: none is taken for whole."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from tests.e2e.project import BIN, Project
from tests.e2e.refusals import refused, run

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def commands(smoke: Project) -> dict[str, str]:
    """The command of one job of each rule of the smoke study, its log left out."""
    said = smoke.run("--dry-run", "--printshellcmds", "--forceall").stdout
    found = re.findall(
        r"^rule (\w+):\n(?:    [^\n]*\n)*Shell command: (.*?)(?=\n\n)",
        said,
        re.MULTILINE | re.DOTALL,
    )
    scripts = {rule: command for rule, command in found if "workflow/scripts" in command}
    return {rule: command.split(" 2> >(")[0] for rule, command in scripts.items()}


def test_no_rule_takes_a_full_disk_for_a_result(
    smoke: Project, commands: dict[str, str], tmp_path: Path
) -> None:
    """Every script finds the disk full while it writes, beside results made before."""
    root = tmp_path / "project"
    shutil.copytree(smoke.root, root, ignore=shutil.ignore_patterns(".snakemake"))
    before = {path: path.read_bytes() for path in root.rglob("results/**/*") if path.is_file()}
    assert len(commands) > 15
    for rule, command in commands.items():
        done = run(["bash", "-c", f"PATH={BIN}:$PATH; {command}"], root, limit=256)
        assert done.returncode == 2, f"{rule}: {done.stderr}"
        refused(done, "File too large", "remedy: raise the limit on file sizes")
        after = {path: path.read_bytes() for path in root.rglob("results/**/*") if path.is_file()}
        changed = [path for path in after.keys() | before if after.get(path) != before.get(path)]
        assert changed == [], rule


@pytest.mark.parametrize(
    ("name", "rule", "remedy"),
    [
        *(("data/*/cells.h5ad", rule, "delete") for rule in ("split", "vocabulary", "store")),
        *(("vocabulary.parquet", "store", "delete"), ("splits/baron.json", "finetune", "delete")),
        *(
            ("data/*/store/counts-*.u8", "audit", "delete"),
            ("scores.parquet", "contrasts", "delete"),
        ),
        ("models/*/*/s0/weights.safetensors", "frozen", "no readable model"),
    ],
)
def test_a_result_cut_short_is_named(
    smoke: Project, commands: dict[str, str], tmp_path: Path, name: str, rule: str, remedy: str
) -> None:
    """Files that a crash or another programme left half: no rule takes one for whole."""
    root = tmp_path / "project"
    shutil.copytree(smoke.root, root, ignore=shutil.ignore_patterns(".snakemake"))
    paths = list((root / "results" / "smoke").glob(name))
    assert paths, name
    for path in paths:
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    done = run(["bash", "-c", f"PATH={BIN}:$PATH; {commands[rule]}"], root, None)
    refused(done, name.split("/*")[0], remedy)
