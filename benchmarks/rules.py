"""What each rule takes of memory and time in a study of many more cells than the default one's.

Made-up cells (`synthetic.py`) with the names of real genes go through the workflow, one job at a
time; the largest job of each rule that reads cells goes into `benchmarks/measured/rules.csv`,
against which tests/house/test_resources.py holds what the rules ask for.

    python benchmarks/rules.py --cells 40000     # half an hour on one core
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import anndata
import pandas as pd
import synthetic

ROOT = Path(__file__).resolve().parents[1]
MEASURED = ROOT / "benchmarks" / "measured" / "rules.csv"
GENES = "results/made/reference/genes.csv.gz"
STUDY = """
study: made
lineage: {scores: false}
former_symbols: false
datasets:
  - {name: made, path: made.h5ad, label: label, donor: donor, condition: condition}
corpora:
  - {name: pool, sources: [{dataset: made, where: {condition: [even]}}]}
targets:
  - name: made
    dataset: made
    split: {kind: column, column: condition, train: [even], test: [odd]}
    corpora: [pool]
    fine_tune: [pool]
vocabulary: {corpus_genes: 1500, target_genes: 1000, transcription_factors: false}
labels: {regimes: [10, all], draws: 1}
pretraining: {steps: 120, batch: 256, seeds: [0]}
methods: [{name: random_mask}, {name: byol}]
fine_tuning:
  methods: [random_mask]
  regimes: [{labels: all, draws: 1}]
  scratch_long: false
  scratch_shallow: false
reconstruction: {max_cells: 750, draws: 1}
integration:
  targets:
    - {name: donors, sources: [{dataset: made}], batch: donor, corpora: [pool], fine_tune: [pool]}
baselines: [pca, logreg, majority]
"""


def snakemake(folder: Path, *options: str) -> None:
    """Run the workflow on the study in a folder."""
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile")]
    command += ["--directory", str(folder), "--configfile", str(folder / "made.yaml")]
    command += ["--cores", "1", "--benchmark-extended", *options]
    subprocess.run(command, env=os.environ | {"PYTHONPATH": str(ROOT / "src")}, check=True)


def write_cells(folder: Path, number: int) -> None:
    """Make made.h5ad, as compact as files of cells come; donors of two conditions."""
    table = pd.read_csv(folder / GENES)
    names = table.ensembl[table.biotype == "protein_coding"].drop_duplicates()
    made = anndata.concat(list(synthetic.blocks(number)))
    made.var_names = list(names[: synthetic.GENES])
    odd = made.obs.donor.str.removeprefix("donor").astype(int) % 2 == 1
    made.obs = made.obs[["label", "donor"]].assign(condition=odd.map({True: "odd", False: "even"}))
    made.write_h5ad(folder / "made.h5ad", compression="gzip")


def size_mb(path: Path) -> float:
    """MB (1e6 bytes) of a file or folder."""
    files = [each for each in path.rglob("*") if each.is_file()] or [path]
    return sum(each.stat().st_size for each in files) / 1e6


def jobs(folder: Path) -> pd.DataFrame:
    """Largest job of each rule: MB of its inputs, MiB at its peak, minutes of a processor."""
    benchmarks, rows = folder / "results/made/benchmarks", []
    for path in sorted(benchmarks.rglob("*.jsonl")):
        name = path.relative_to(benchmarks).with_suffix("").parts
        last = json.loads(path.read_text(encoding="utf-8").splitlines()[-1])
        rows.append(
            {
                "rule": "_".join(name[:2]) if name[0] == "figure" else name[0],
                "input_mb": round(sum(size_mb(folder / each) for each in last["input_size_mb"]), 1),
                "peak_mb": round(last["max_rss"], 1),
                "minutes": round(last["cpu_time"] / 60, 2),
            }
        )
    return pd.DataFrame(rows).sort_values("peak_mb").groupby("rule").last()


def main() -> None:
    """Read the command line, run the study in a folder of its own and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--cells", type=int, default=40_000, help="made-up cells")
    parser.add_argument("--folder", type=Path, help="where the study is (default: a temporary one)")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = (args.folder or Path(temporary)).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "made.yaml").write_text(STUDY, encoding="utf-8")
        if not (folder / "made.h5ad").exists():
            snakemake(folder, "--", GENES)
            write_cells(folder, args.cells)
        snakemake(folder)
        found = jobs(folder)
        # The others read tables, which are those of runs, and there are few here.
        found[found.input_mb > 10].to_csv(MEASURED)


if __name__ == "__main__":
    main()
