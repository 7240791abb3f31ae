"""What a cell store's folder holds, and its manifest.

    manifest.json                    what this module writes and checks
    genes.parquet                    gene_id, symbol, measured (bool), in column order
    obs.parquet                      cell (id) and the columns of `OBS`
    protein.parquet                  counts of proteins, where they were measured
    total.u32, key.i64               of each cell: counts over all genes; identifier for noise
    indptr-00000.i64                 of each shard: where its cells' values start
    indices-00000.u16                gene numbers (.u32 from 65,536 genes on), ascending in a cell
    counts-00000.u8                  counts, those above 255 as 255
    overflow_position-00000.i64      where in the shard a count above 255 stands, ascending
    overflow_value-00000.u32         and what it is

All numbers are little-endian. Every shard but the last holds `shard_cells` cells. The manifest
names every file with its size and sha256, and carries its own; it is written last.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from selfcell import __version__
from selfcell.errors import StoreError
from selfcell.provenance import sha256_file

FORMAT, VERSION = "selfcell.store", 2
OBS = ("label", "donor", "batch", "condition")
DTYPES = {"i64": "<i8", "u32": "<u4", "u16": "<u2", "u8": "|u1"}
SHARD = 1 << 20  # cells
AGAIN = "delete the folder and run again"


def shard_files(number: int, n_genes: int) -> dict[str, str]:
    """File name of each of a shard's arrays."""
    narrow = "u16" if n_genes < 2**16 else "u32"
    kinds = {
        "indptr": "i64",
        "indices": narrow,
        "counts": "u8",
        "overflow_position": "i64",
        "overflow_value": "u32",
    }
    return {name: f"{name}-{number:05d}.{kind}" for name, kind in kinds.items()}


def dtype_of(name: str) -> str:
    """NumPy's name of the numbers in a file."""
    return DTYPES[name.rpartition(".")[2]]


def write_manifest(folder: Path, facts: Mapping[str, Any], known: Mapping[str, str]) -> None:
    """Finish a store: name its files. `known` are digests that were taken while writing."""
    files = {
        file.name: {
            "bytes": file.stat().st_size,
            "sha256": known[file.name] if file.name in known else sha256_file(file),
        }
        for file in sorted(folder.iterdir())
    }
    manifest: dict[str, Any] = {
        "format": FORMAT,
        "version": VERSION,
        "created_by": f"selfcell {__version__}",
        **facts,
        "files": files,
    }
    manifest["sha256"] = _digest(manifest)
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=1, sort_keys=True) + "\n")


def read_manifest(path: Path) -> dict[str, Any]:
    """The manifest of a finished store of this version, unaltered. Raises StoreError."""
    try:
        manifest = json.loads((path / "manifest.json").read_text())
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise StoreError(f"{path} is no finished cell store ({error})", remedy=AGAIN) from error
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise StoreError(f"{path} is not a cell store of this project", f"format {FORMAT}")
    if manifest.get("version") != VERSION:
        got = f"store {path} has format version {manifest.get('version')}"
        raise StoreError(got, f"version {VERSION}", "update selfcell, or make the store again")
    if manifest.get("sha256") != _digest(manifest):
        raise StoreError(f"{path}/manifest.json was altered", remedy=AGAIN)
    return manifest


def check_files(path: Path, manifest: Mapping[str, Any], verify: bool) -> None:
    """Check that every file is there in its size and, with `verify`, its content. StoreError."""
    for name, file in manifest["files"].items():
        there = path / name
        if not there.is_file():
            raise StoreError(f"store {path} lacks {name}", remedy=AGAIN)
        if there.stat().st_size != file["bytes"]:
            got = f"{there} has {there.stat().st_size} bytes"
            raise StoreError(got, f"{file['bytes']}", AGAIN)
        if verify and (found := sha256_file(there)) != file["sha256"]:
            raise StoreError(f"{there} has sha256 {found}", file["sha256"], AGAIN)


def _digest(manifest: Mapping[str, Any]) -> str:
    content = {key: value for key, value in manifest.items() if key != "sha256"}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
