"""Where a result comes from: code digests, file hashes, versions, hardware.

`code_digest` follows the imports of one script through this package, so that editing a module
re-runs the rules whose scripts import it and no others.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.metadata
import json
import os
import platform
import subprocess
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

from selfcell import __version__
from selfcell.job import gpu

PACKAGE = Path(__file__).resolve().parent
SHIPPED = PACKAGE / "shipped"
"""Where an installed package keeps the workflow; a checkout has no such folder."""
ROOT = SHIPPED if SHIPPED.is_dir() else PACKAGE.parents[1]
"""Folder of Snakefile, workflow, configs, profiles and resources."""
# Lists that name modules: a new line there concerns the module it names, which counts itself.
REGISTERS = (PACKAGE / "methods" / "__init__.py", PACKAGE / "baselines" / "__init__.py")
LIBRARIES = ("numpy", "scipy", "pandas", "torch", "scikit-learn", "scanpy", "anndata", "snakemake")


def sha256_file(path: Path | str) -> str:
    """Hex sha256 of a file, read in chunks."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def short_hash(*parts: object) -> str:
    """First 12 hex digits of the sha256 of parts written as canonical JSON."""
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


@cache
def imports(path: Path) -> tuple[Path, ...]:
    """Files of this package that a Python file imports itself, function bodies included.

    `import a.b` runs `a/__init__.py` too, so parents count as imported.
    """
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    found: set[Path] = set()
    for name in names:
        parts = name.split(".")
        if parts[0] == PACKAGE.name:
            for depth in range(1, len(parts) + 1):
                found.update(_files(parts[1:depth]))
    return tuple(sorted(found))


def _files(parts: list[str]) -> list[Path]:
    base = PACKAGE.joinpath(*parts)
    return [file for file in (base.with_suffix(".py"), base / "__init__.py") if file.is_file()]


def code_files(roots: Iterable[Path]) -> list[Path]:
    """The roots and everything of this package they import, directly or not, sorted.

    `REGISTERS` are left out, or adding a method would re-run all the others.
    """
    seen: set[Path] = set()
    waiting = [Path(root).resolve() for root in roots]
    while waiting:
        path = waiting.pop()
        if path not in seen:
            seen.add(path)
            waiting.extend(imports(path))
    return sorted(seen.difference(REGISTERS))


@cache
def code_digest(*roots: Path | str) -> str:
    """12 hex digits over the contents of `code_files(roots)`.

    Module names given as "selfcell.x.y" stand for their files: a method chosen by name is no
    import of the script and is passed beside it.
    """
    files = [_module_file(root) if _is_module(root) else Path(root) for root in roots]
    digest = hashlib.sha256()
    for path in code_files(files):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:12]


def _is_module(root: Path | str) -> bool:
    return isinstance(root, str) and root.startswith(f"{PACKAGE.name}.")


def _module_file(name: Path | str) -> Path:
    return PACKAGE.joinpath(*str(name).split(".")[1:]).with_suffix(".py")


def git_revision() -> str:
    """Commit of the checkout, "+" appended if files differ from it; "unknown" outside one.

    An installed package may lie in somebody's repository, whose commit says nothing of it.
    """
    if ROOT == SHIPPED:
        return "unknown"
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty=+", "--abbrev=12"]
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except FileNotFoundError:
        return "unknown"
    return result.stdout.strip() if result.returncode == 0 else "unknown"


def cpu_flags() -> frozenset[str]:
    """Processor feature flags as Linux lists them; empty elsewhere."""
    path = Path("/proc/cpuinfo")
    if not path.is_file():
        return frozenset()
    for line in path.read_text().splitlines():
        if line.startswith("flags"):
            return frozenset(line.split(":", 1)[1].split())
    return frozenset()


def versions() -> dict[str, str]:
    """Versions of this package, Python and the libraries that can change a number."""
    installed = {name: importlib.metadata.version(name) for name in LIBRARIES}
    return {"selfcell": __version__, "python": platform.python_version(), **installed}


def card(
    *,
    rule: str,
    run_hash: str,
    spec: Mapping[str, object],
    inputs: Mapping[str, str],
    code: str,
    seeds: Mapping[str, int],
    cost: Mapping[str, float],
    threads: int,
) -> dict[str, object]:
    """The provenance card that lies beside each result.

    Args:
        rule: workflow rule. run_hash: key of the run. spec: its slice of the configuration.
        inputs: name to hash of data, splits and models read. code: `code_digest`.
        cost: `job.Meter.read()`: wall_s, cpu_s and gpu_s in seconds, peak_mb in MiB.
    """
    flags = cpu_flags()
    return {
        "rule": rule,
        "run_hash": run_hash,
        "spec": dict(spec),
        "config_hash": short_hash(spec),
        "inputs": dict(inputs),
        "code": code,
        "git": git_revision(),
        "seeds": dict(seeds),
        "cost": dict(cost),
        "versions": versions(),
        "hardware": {
            "machine": platform.machine(),
            "system": platform.platform(),
            "cores": os.cpu_count(),
            "threads": threads,
            "device": gpu() or "cpu",
            "bf16": bool(flags & {"avx512_bf16", "amx_bf16"}),
        },
    }
