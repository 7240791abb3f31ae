"""Run the study on a reader's own cells and read its answer: should I pre-train?

The workflow is started as a program of its own; nothing of it is imported.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from selfcell.comparison.answer import Comparison, read
from selfcell.comparison.cells import look, look_at_corpora, told
from selfcell.comparison.design import configuration, name_of, require_name
from selfcell.comparison.models import fetched
from selfcell.data.specs import MIN_FOUND
from selfcell.errors import ConfigError, StudyError
from selfcell.job import atomic, write_json
from selfcell.provenance import ROOT

if TYPE_CHECKING:
    from anndata import AnnData

    from selfcell.study import Study


def compare(
    cells: AnnData | Path | str,
    labels: str = "cell_type",
    batch: str = "",
    *,
    layer: str | None = None,
    gene_ids: str = "",
    corpora: Sequence[str] = (),
    corpus_layer: str = "",
    models: Sequence[Path | str] = (),
    min_found: float = MIN_FOUND,
    effort: str = "default",
    out: Path | str = ".",
    name: str = "",
    cores: int = 0,
    max_cells: int | None = None,
    min_test: int = 15,
    dry_run: bool = False,
) -> Comparison:
    """Run the study on one's own labelled cells: is pre-training worth it on these?

    Half of the donors (or cells) are tested on; on the others networks are pre-trained without
    labels, and the labels are drawn from them. All is written below `out`; the same call again
    goes on where it stopped, or does nothing.

    Args:
        cells: a file, or AnnData, whose counts and columns are then written below `out`.
        labels: obs column of cell types; cells without one are left out.
        batch: obs column of donors or batches, of which whole ones are held out; "": cells are
            divided at random, and numbers are kinder than for a new donor.
        layer, gene_ids: as in `Model.embed`. corpus_layer: as `layer`, of those files.
        corpora: other cells to pre-train on: files, or data sets of the study such as "kang".
        models: ready models to judge beside those trained here, as `selfcell.load` takes them.
        min_found: share of a model's genes, in [0, 1], below which it is refused.
        effort: a key of `comparison.design.EFFORTS`: "quick", "default" or "full".
        name: of the study, and of its folder in `out`/results; "": the file's.
        cores: processor cores; 0: all. dry_run: only say what it would take.
        max_cells: cells drawn of the file; None: the effort's, 0: all.
        min_test: cells of a type that must be tested on, or it is left out.

    Raises:
        ConfigError, DataError, StoreError, FetchError: a file, an option or a model cannot be used.
        StudyError: a job of the study failed.
    """
    require_name(name)
    out = Path(out).expanduser().absolute()
    path = _file(cells, out, name, labels, batch, layer)
    layer, study = layer if isinstance(cells, Path | str) else "", name or name_of(path)
    found = look(path, study, labels, batch, layer or "", gene_ids, min_test)
    look_at_corpora(corpora, corpus_layer, found)
    options = effort, corpora, corpus_layer, max_cells, min_test, fetched(models, found, min_found)
    settings = configuration(found, study, *options, min_found)
    folder = out / "results" / study
    made = _study(settings)
    config = _write(settings, folder / "study.yaml")
    about: dict[str, Any] = {"study": study, "cells": told(found)}
    if dry_run:
        return Comparison(about | _planned(made, out, config))
    run(config, out, study, cores)
    return _kept(Comparison(about | read(folder, study)), folder)


def _study(settings: Mapping[str, Any]) -> Study:
    from selfcell.config import from_mapping
    from selfcell.study import Study

    return Study(from_mapping(settings, "the study of your cells"))


def _kept(answer: Comparison, folder: Path) -> Comparison:
    """The answer, written beside the tables it is read from."""
    write_json(dict(answer.about), folder / "answer.json")
    with atomic(folder / "answer.txt") as temporary:
        temporary.write_text(answer.text() + "\n", encoding="utf-8")
    return answer


def _planned(study: Study, folder: Path, config: Path) -> dict[str, Any]:
    """What the study will take if nothing of it is there: jobs, core minutes, MB to fetch."""
    from selfcell.plan import reckon

    facts = reckon(study, folder)
    plan = {
        "jobs": facts["jobs"],
        "core_minutes": round(facts["core_hours"] * 60, 1),
        "fetch_mb": sum(facts["to_fetch_mb"].values()),
    }
    return {"plan": plan, "files": {"configuration": str(config)}}


def _file(
    cells: AnnData | Path | str, out: Path, name: str, labels: str, batch: str, layer: str | None
) -> Path:
    """The file of the cells; of AnnData, one with its counts, its genes and the two columns."""
    if isinstance(cells, Path | str):
        return Path(cells)
    from selfcell.data import own
    from selfcell.data.h5ad import H5adWriter

    matrix = own.Matrix.of(cells, layer, own.spec_of("cells"))
    obs, var = matrix.names.obs, matrix.names.var
    obs = obs[[column for column in (labels, batch) if column in obs]]
    path = out / "results" / (name or "cells") / f"{name or 'cells'}.h5ad"
    with atomic(path) as temporary, H5adWriter(temporary, len(var)) as file:
        for _, block in matrix.blocks():
            file.append(block)
        file.finish(obs, var, {})
    return path


def _write(settings: Mapping[str, Any], path: Path) -> Path:
    import yaml

    text = "# Written by selfcell compare: copy it to change it.\n"
    with atomic(path) as temporary:
        body = yaml.safe_dump(dict(settings), sort_keys=False, allow_unicode=True)
        temporary.write_text(text + body, encoding="utf-8")
    return path


def run(config: Path, out: Path, study: str, cores: int = 0) -> None:
    """Run the packaged workflow in a folder; what it says goes to standard error.

    Raises StudyError: a job failed, with the words of its log.
    """
    if cores < 0:
        raise ConfigError(f"--cores {cores}", "a number of processor cores, 0 for all")
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile")]
    command += ["--directory", str(out), "--configfile", str(config)]
    command += ["--cores", str(cores or "all")]
    if os.isatty(2):
        command += ["--logger", "rich"]  # bars of all jobs and of each rule
    else:
        command += ["--quiet", "rules"]
    start = time.time()
    process = subprocess.Popen(command, stdout=2)
    try:
        failed = process.wait()
    except KeyboardInterrupt:
        process.wait()  # the interrupt reached it too: it cancels its jobs and cleans up
        raise KeyboardInterrupt("the same command goes on where it stopped") from None
    if failed:
        raise StudyError(
            f"the study {study!r} stopped: {_reason(out / 'results' / study / 'logs', start)}",
            "jobs that end well",
            "mend that and give the same command again: what is finished is kept",
        )


def _reason(logs: Path, start: float) -> str:
    """The last words of the first log that ends in an error since the run began."""
    written = [path for path in sorted(logs.rglob("*.log")) if path.stat().st_mtime >= start - 1]
    for path in sorted(written, key=lambda path: path.stat().st_mtime):
        lines = path.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        if lines and lines[-1].startswith("error: "):
            return f"{lines[-1].removeprefix('error: ')} ({path})"
    return f"see what it said above, and {logs}"
