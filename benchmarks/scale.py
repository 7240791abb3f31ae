"""What a corpus of millions takes: rates measured here, projected to 22 and 100 million cells.

Made-up cells (`synthetic.py`) go through every step from the Census to the store; each step's
processor time and bytes go into `benchmarks/measured/scale.json`, and the projection, with its
arithmetic, into docs/scale.md.

    python benchmarks/scale.py --measure     # some minutes; needs the extra `census`
    python benchmarks/scale.py               # the table of docs/scale.md from what was measured
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MEASURED = ROOT / "benchmarks" / "measured" / "scale.json"
CORPORA = {"22 million": 22_189_056, "100 million": 100_000_000}
DENSER = 1.4  # values in a cell of the real corpus, over those of a made-up one
CORE_HOUR, DISK_MONTH = 0.05, 0.08  # US dollars of a core for an hour, of a GB for a month
STEPS = {"census": "Census → raw.h5ad", "qc": "quality control", "store": "store, shuffled"}


def measure(cells: int) -> dict[str, float]:
    """Processor seconds and bytes a cell, of each step, and what quality control keeps a cell."""
    sys.path[:0] = [str(ROOT / "src"), str(ROOT / "benchmarks")]
    import anndata
    import synthetic

    from selfcell.data import census
    from selfcell.data.artefacts import CensusSlice
    from selfcell.data.writer import write_store

    found: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        made = anndata.concat(list(synthetic.blocks(cells)))
        made.var = synthetic.vocabulary().set_index("gene_id", drop=False)
        found["values"] = made.X.nnz / cells
        _as_census(made, folder / "soma")
        found["soma_bytes"] = _size(folder / "soma") / cells
        chosen = CensusSlice(version="2023-05-15", uri=str(folder / "soma"))
        start = time.process_time()
        census.write(chosen, ("cell_type",), lambda source: Path(), folder / "raw.h5ad")
        found["census_s"] = (time.process_time() - start) / cells
        found["census_bytes"] = _size(folder / "raw.h5ad") / cells
        _control(folder / "raw.h5ad", folder / "warm.h5ad")  # compiles
        start = time.process_time()
        _control(folder / "raw.h5ad", folder / "cells.h5ad")
        found["qc_s"] = (time.process_time() - start) / cells
        found["qc_bytes"] = _size(folder / "cells.h5ad") / cells
        kept = anndata.read_h5ad(folder / "cells.h5ad")
        write_store(kept[:64].copy(), synthetic.vocabulary(), folder / "warm", shuffle=0)
        start = time.process_time()
        write_store(kept, synthetic.vocabulary(), folder / "store", shuffle=0)
        found["store_s"] = (time.process_time() - start) / cells
        found["store_bytes"] = _size(folder / "store") / cells
    few, many = _peak(10_000), _peak(40_000)
    found["qc_peak_mb"], found["qc_peak_bytes"] = few, (many - few) * 2**20 / 30_000
    return {key: float(f"{value:.4g}") for key, value in found.items()}


def _as_census(cells, folder: Path) -> None:  # type: ignore[no-untyped-def]
    """A Census of these cells alone."""
    import tiledbsoma
    import tiledbsoma.io

    cells.var["feature_id"] = cells.var["feature_name"] = cells.var.index
    cells.var = cells.var.rename_axis("id")
    cells.obs = cells.obs.rename(columns={"label": "cell_type", "donor": "donor_id"})
    cells.obs = cells.obs.assign(dataset_id="made", is_primary_data=True)
    cells.obs["cell_type_ontology_term_id"] = cells.obs["cell_type"]
    with tiledbsoma.Collection.create(str(folder)) as root:
        uri = f"{root.add_new_collection('census_data').uri}/homo_sapiens"
        tiledbsoma.io.from_anndata(uri, cells, "RNA", X_layer_name="raw")
        root["census_data"].set("homo_sapiens", tiledbsoma.Experiment.open(uri))


def _control(raw: Path, out: Path) -> None:
    from selfcell.data import own
    from selfcell.data.h5ad import H5adWriter
    from selfcell.data.qc import Limits, qc
    from selfcell.data.registry import DatasetSpec

    spec = DatasetSpec.own("made", str(raw), label="cell_type", donor="donor_id")
    with own.raw_counts(raw, spec) as matrix, ExitStack() as stack:
        table = own.own_table(matrix)
        qc(matrix, table, Limits(), {}, lambda n: stack.enter_context(H5adWriter(out, n)))


def _size(path: Path) -> int:
    """Bytes of a file, or of all files of a folder."""
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())


def _peak(cells: int) -> float:
    """Peak memory of quality control in a process of its own, in MB."""
    run = [sys.executable, __file__, "--peak", str(cells)]
    return float(subprocess.run(run, capture_output=True, text=True, check=True).stdout)


def peak(cells: int) -> None:
    """The child of `_peak`; the file is made in a process before it."""
    sys.path[:0] = [str(ROOT / "src"), str(ROOT / "benchmarks")]
    from multiprocessing import get_context

    import synthetic

    with tempfile.TemporaryDirectory() as name:
        raw = Path(name) / "raw.h5ad"
        maker = get_context("spawn").Process(target=synthetic.write_h5ad, args=(raw, cells))
        maker.start()
        maker.join()
        from selfcell.data import own
        from selfcell.data.h5ad import H5adWriter
        from selfcell.data.qc import Limits, qc
        from selfcell.data.registry import DatasetSpec

        spec = DatasetSpec.own("made", str(raw), label="label", donor="donor")
        with own.raw_counts(raw, spec) as matrix, ExitStack() as stack:
            out = Path(name) / "cells.h5ad"
            table = own.own_table(matrix)
            qc(matrix, table, Limits(), {}, lambda n: stack.enter_context(H5adWriter(out, n)))
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    # not what getrusage says, which begins with the memory of the process that started this one
    (kilobytes,) = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")]
    print(int(kilobytes) / 1024)


def table(measured: dict[str, float]) -> str:
    """The projection, in Markdown: each number with what it is the product of."""
    head = "| | a cell, measured | " + " | ".join(CORPORA) + " |"
    rows = [head, "| --- | --- | " + " | ".join("---:" for _ in CORPORA) + " |"]

    def row(what: str, each: str, values: list[str]) -> None:
        rows.append(f"| {what} | {each} | " + " | ".join(values) + " |")

    for key, what in STEPS.items():
        size = measured[f"{key}_bytes"] * DENSER
        each = f"{measured[f'{key}_bytes']:,.0f} B × {DENSER}"
        row(f"disk: {what}", each, [f"{n * size / 1e9:,.0f} GB" for n in CORPORA.values()])
    for key, what in STEPS.items():
        took = measured[f"{key}_s"] * DENSER
        each = f"{measured[f'{key}_s'] * 1e6:,.0f} µs × {DENSER}"
        row(f"one core: {what}", each, [f"{n * took / 3600:,.1f} h" for n in CORPORA.values()])
    fixed, slope = measured["qc_peak_mb"], measured["qc_peak_bytes"]
    gigabytes = [f"{fixed / 1000 + n * slope / 1e9:,.1f} GB" for n in CORPORA.values()]
    row("memory: quality control", f"{fixed:,.0f} MB + {slope:,.0f} B", gigabytes)
    hours = sum(measured[f"{key}_s"] for key in STEPS) * DENSER / 3600
    size = sum(measured[f"{key}_bytes"] for key in STEPS) * DENSER / 1e9
    cost = [n * (hours * CORE_HOUR + size * DISK_MONTH) for n in CORPORA.values()]
    each = f"core-hour {CORE_HOUR} $, GB for a month {DISK_MONTH} $"
    row("cost: all of it, kept a month", each, [f"{value:,.0f} $" for value in cost])
    return "\n".join(rows)


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--measure", action="store_true", help="measure the rates anew")
    parser.add_argument("--cells", type=int, default=4_000, help="made-up cells to measure on")
    parser.add_argument("--peak", type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.peak:
        peak(args.peak)
        return
    if args.measure:
        MEASURED.parent.mkdir(exist_ok=True)
        text = json.dumps(measure(args.cells), indent=1, sort_keys=True)
        MEASURED.write_text(text + "\n", encoding="utf-8")
    print(table(json.loads(MEASURED.read_text(encoding="utf-8"))))


if __name__ == "__main__":
    main()
