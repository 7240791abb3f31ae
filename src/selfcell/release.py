"""A finished study's small files, as they are committed under results/released/<study>.

The score table keeps every row while a committed file may hold it (`LIMIT`); a larger study's is
written denser, then without the rows of single cell types, and as a last resort with the metrics
and readouts alone that a page shows. Per-cell predictions, models and data stay out.
"""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from selfcell import __version__
from selfcell.data.registry import Source
from selfcell.data.split_summary import split_summary
from selfcell.errors import DataError
from selfcell.figures import FIGURES
from selfcell.provenance import sha256_file
from selfcell.study import Study

if TYPE_CHECKING:
    import pandas as pd

LIMIT = 2_000_000  # bytes; no larger file is committed
TABLES = (
    *("contrasts.parquet", "task_contrasts.parquet", "verdicts.parquet"),
    *("claims.parquet", "health.parquet"),
    *("costs.parquet", "alignment.parquet", "shared_variance.parquet"),
)
PAGES = ("audit.json", "provenance.json", "lineage.json")
KINDS = ("csv", "pdf", "png")
MANIFEST = "manifest.json"
FIRST = "default"
SHARES = ("mb_most", "mb_least", "minutes_most", "minutes_least")
JOBS = ("rule", "jobs", "wall_s", "cpu_s", "peak_mb", "input_mb", *SHARES)
FREE_MB, FREE_MINUTES = 1000, 5
"""So little may be asked for whatever it is for."""


def released(folder: Path) -> list[Path]:
    """Released studies in a folder: the default one first, then others by name."""
    found = [path.parent for path in folder.glob(f"*/{MANIFEST}")]
    return sorted(found, key=lambda path: (path.name != FIRST, path.name))


def release(study: Study, config: Path, results: Path, out: Path, cache: Path) -> None:
    """Write the released form of a study to the empty place `out`.

    Args:
        study: what was run. config: its configuration file, copied along.
        results: its folder, with everything in it finished.
        out: folder to make.
        cache: download cache, whose size is noted.

    Raises:
        DataError: a file is missing, belongs to another study, or is larger than `LIMIT`.
    """
    name = study.config.study
    copies = {**dict(_copies(study, results)), config: "config.yaml"}
    missing = [path for path in (*copies, results / "scores.parquet") if not path.is_file()]
    if missing:
        raise DataError(f"there is no {missing[0]}", "a finished study", "make study")
    for path, place in copies.items():
        (out / place).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, out / place)
    rows = dense_scores(results / "scores.parquet", out / "scores.parquet", name)
    splits = [split_summary(results / f"splits/{target}.json") for target in study.targets]
    _write_json(splits, out / "splits.json")
    jobs(sorted((results / "benchmarks").rglob("*.jsonl"))).to_csv(
        out / "jobs.csv", index=False, float_format="%g", lineterminator="\n"
    )
    files = sorted(path for path in out.rglob("*") if path.is_file())
    for path in files:
        if path.stat().st_size > LIMIT:
            got = f"{path.relative_to(out)} has {path.stat().st_size} bytes"
            raise DataError(got, f"{LIMIT} at most in a committed file", "make it smaller")
    about = {
        "study": name,
        "selfcell": __version__,
        "score_rows": rows,
        "results_mb": megabytes([results]),
        "cache_mb": megabytes(cached(study, cache)),
        "files": {str(path.relative_to(out)): sha256_file(path) for path in files},
    }
    _write_json(about, out / MANIFEST)


def _copies(study: Study, results: Path) -> Iterator[tuple[Path, str]]:
    """Files that are copied as they are, and their places."""
    for name in (*TABLES, *PAGES):
        yield results / name, name
    for name in study.datasets:
        yield results / f"data/{name}/qc.json", f"qc/{name}.json"
    for figure in FIGURES:
        for kind in KINDS:
            yield results / f"figures/{figure}.{kind}", f"figures/{figure}.{kind}"


def dense_scores(scores: Path, out: Path, study: str, limit: int = LIMIT) -> str:
    """Write the score table in at most `limit` bytes; say which rows it kept: "all", "overall" or
    "shown".

    The same bytes where they fit; else the same rows with dictionaries and stronger compression;
    else the rows of level "overall" in that form; else those of them whose metric and readout a
    page shows.

    Raises:
        DataError: the table is another study's, or even its least rows take more.
    """
    import pandas as pd

    from selfcell.scoreboard import TASKS
    from selfcell.stats import table

    frame = table.read(scores)
    names = sorted(set(frame.study))
    if names != [study]:
        raise DataError(f"{scores} holds the studies {names}", f"{study!r} alone")
    if scores.stat().st_size <= limit:
        shutil.copyfile(scores, out)
        return "all"
    overall = frame[frame.level == "overall"]
    shown = pd.MultiIndex.from_tuples(
        (task, metric, readout)
        for task, each in TASKS.items()
        for metric in each.metrics
        for readout in each.readouts
    )
    seen = pd.MultiIndex.from_frame(overall[["task", "metric", "readout"]]).isin(shown)
    for rows, part in (("all", frame), ("overall", overall), ("shown", overall[seen])):
        _write_dense(part, out)
        if out.stat().st_size <= limit:
            return rows
    size = out.stat().st_size
    out.unlink()
    raise DataError(
        f"the overall rows of {scores} that a page shows take {size} bytes",
        f"{limit} at most in a committed file",
        "release a study of fewer arms or draws",
    )


def _write_dense(frame: pd.DataFrame, path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from selfcell.stats.schema import ARROW
    from selfcell.stats.table import SCORES

    schema = pa.schema([(column.name, ARROW[column.kind]) for column in SCORES.columns])
    arrow = pa.Table.from_pandas(frame, schema=schema, preserve_index=False)
    arrow = arrow.replace_schema_metadata(None)
    # Metrics repeat each other's values nearby, which compresses better than a dictionary of them.
    words = [column.name for column in SCORES.columns if column.kind == "string"]
    pq.write_table(arrow, path, compression="brotli", compression_level=11, use_dictionary=words)


def jobs(benchmarks: Iterable[Path]) -> pd.DataFrame:
    """What the jobs of each rule took, by Snakemake's own measurements.

    Returns:
        Columns `JOBS`: number of jobs, their wall and processor time in seconds (sums), the
        largest resident memory of one of them in MB (0 where jobs were too short to sample), the
        MB of the largest inputs, and the shares that jobs used of the memory and the time that
        they asked for: the most, and the least of those that asked for more than `FREE_MB` or
        `FREE_MINUTES` (nothing where none did).
    """
    import pandas as pd

    lines = [line for path in benchmarks for line in path.read_text(encoding="utf-8").splitlines()]
    found = pd.DataFrame([_job(json.loads(line)) for line in lines], columns=list(JOBS))
    how = dict.fromkeys(("jobs", "wall_s", "cpu_s"), "sum") | dict.fromkeys(JOBS[4:], "max")
    how |= dict.fromkeys(("mb_least", "minutes_least"), "min")
    return found.groupby("rule", as_index=False).agg(how).round(3)


def _job(job: Mapping[str, Any]) -> dict[str, Any]:
    """A line of Snakemake's extended benchmarks, as `jobs` sums it up."""
    row = {"rule": job["rule_name"], "jobs": 1, "peak_mb": _number(job["max_rss"])}
    row |= {"wall_s": _number(job["s"]), "cpu_s": _number(job["cpu_time"])}
    paths = [Path(name) for name in job.get("input_size_mb", {})]
    inside = [part for path in paths if path.is_dir() for part in path.iterdir()]
    row["input_mb"] = sum(p.stat().st_size for p in (*paths, *inside) if p.is_file()) / 1e6
    asked = job.get("resources", {})
    for kind, took, key, free in (
        ("mb", row["peak_mb"], "mem_mb", FREE_MB),
        ("minutes", row["wall_s"] / 60, "runtime", FREE_MINUTES),
    ):
        share = took / asked[key] if took and key in asked else math.nan
        row[f"{kind}_most"] = share
        row[f"{kind}_least"] = share if asked.get(key, 0) > free else math.nan
    return row


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


def references(study: Study) -> list[str]:
    """Names of the gene table, the ontology and the gene sets that the study reads, each once."""
    wanted = ["genes"]
    if study.config.lineage.scores and not study.config.lineage.ontology:
        wanted.append("cell_ontology")
    if study.config.vocabulary.transcription_factors:
        wanted.append("msigdb_tft")
    own = {entry.name for entry in study.config.gene_sets if entry.path}
    for method in study.methods:
        wanted += [name for name in study.gene_sets(method) if name not in own]
    wanted += [name for name in study.programmes() if name not in own]
    return list(dict.fromkeys(wanted))


def sources(study: Study) -> list[Source]:
    """Every file that the study asks for: counts, joined tables, gene table, gene sets."""
    found = [source for spec in study.datasets.values() for source in spec.sources]
    for name in references(study):
        reference = study.registry.reference(name)
        found.append(reference.source)
        if reference.earlier is not None and study.config.former_symbols:
            found.append(reference.earlier)
    return found


def cached(study: Study, cache: Path) -> list[Path]:
    """Entries of the download cache that the study uses."""
    sums = {part.artefact.sha256 for part in sources(study)}
    sums |= {part.sha256 for part in sources(study)}
    return sorted(path for key in sums if key for path in cache.glob(f"*/{key[:16]}"))


def megabytes(places: Iterable[Path]) -> float:
    """MB (1e6 bytes) of all files below some folders."""
    sizes = [path.stat().st_size for place in places for path in place.rglob("*") if path.is_file()]
    return round(sum(sizes) / 1e6, 1)


def _write_json(value: object, path: Path) -> None:
    text = json.dumps(value, indent=1, sort_keys=True, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8")
