"""Does what makes a step cheap cost accuracy? Frozen scores of the same seeds and label draws.

    snakemake --cores all --config study=float32 'pretraining={precision: float32}' -- \
        results/float32/runs/frozen/kang_ctrl/random_mask/s{0,1,2}/scores.parquet
    python benchmarks/precision.py results/released/default/scores.parquet \
        results/float32/runs/frozen/kang_ctrl/random_mask --out precision.jsonl

    sed -e 's/{rate: 0.5}/{rate: 0.5, loss: expected_mse}/' -e 's/^study: .*/study: expected/' \
        config.yaml > expected.yaml
    snakemake --cores all --configfile expected.yaml -- \
        results/expected/runs/frozen/kang_ctrl/random_mask/s{0,1,2}/scores.parquet
    python benchmarks/precision.py results/released/default/scores.parquet \
        results/expected/runs/frozen/kang_ctrl/random_mask --names mse expected_mse \
        --out expected.jsonl

One JSON line per method and target: mean macro-F1 of the probe over the label regimes of
either, and their difference with the study's interval over seeds crossed with draws.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / "src")]

import pandas as pd  # noqa: E402

MARGIN = 0.02  # macro-F1: the study's margin of equivalence
KEYS = ["method", "target", "corpus", "regime", "seed", "draw"]
READ = {"task": "annotate", "mode": "frozen", "readout": "probe", "metric": "macro_f1"}


def scores(paths: list[Path]) -> pd.Series:
    """Macro-F1 by method, target, corpus, regime, seed and draw, of files and folders of them."""
    files = [
        file
        for path in paths
        for file in (sorted(path.rglob("scores.parquet")) if path.is_dir() else [path])
    ]
    if not files:
        sys.exit(f"no scores.parquet in {', '.join(map(str, paths))}")
    rows = pd.concat([pd.read_parquet(file) for file in files])
    for column, value in {**READ, "level": "overall"}.items():
        rows = rows[rows[column] == value]
    if rows.empty:
        sys.exit(f"{', '.join(map(str, paths))}: no frozen macro-F1 of the probe")
    return rows.set_index(KEYS)["value"].astype(float)


def compare(kept: pd.Series, other: pd.Series, names: list[str]) -> list[dict[str, object]]:
    """Lines of what both have; `names`: of the study's way, and of the other."""
    from selfcell.stats.crossed import crossed

    both = pd.DataFrame(dict(zip(names, (kept, other), strict=True))).dropna().reset_index()
    lines = []
    for (method, target, corpus), rows in both.groupby(["method", "target", "corpus"]):
        mean = rows.groupby(["seed", "draw"])[names].mean()
        found = crossed((mean[names[0]] - mean[names[1]]).unstack("draw").to_numpy())
        low, high = found.interval()
        least, most = found.interval(0.90)
        lines.append(
            {"method": method, "target": target, "corpus": corpus, "seeds": found.n_seeds}
            | {"draws": found.n_draws, "regimes": int(rows.regime.nunique())}
            | {name: round(float(mean[name].mean()), 4) for name in mean}
            | {"difference": round(found.mean, 4), "low": round(low, 4), "high": round(high, 4)}
            | {"equivalent": bool(least > -MARGIN and most < MARGIN)}
        )
    return lines


def table(file: Path) -> str:
    """The lines of a run as a table for docs/performance.md."""
    lines = list(map(json.loads, file.read_text(encoding="utf-8").splitlines()))
    one, two = list(lines[0])[6:8]  # names, between the numbers of runs and the difference
    rows = [
        f"| Method | Corpus → target | {one} | {two} | Difference [95 %] | Within ±0.02 |",
        "| --- | --- | ---: | ---: | ---: | --- |",
    ]
    for line in lines:
        interval = f"{line['difference']:+.3f} [{line['low']:+.3f}, {line['high']:+.3f}]"
        within = "yes" if line["equivalent"] else "not shown"
        rows.append(
            f"| `{line['method']}` | {line['corpus']} → {line['target']} | {line[one]:.3f} |"
            f" {line[two]:.3f} | {interval} | {within} |"
        )
    return "\n".join(rows)


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("kept", type=Path, nargs="?", help="scores of the study")
    parser.add_argument("other", type=Path, nargs="*", help="scores, or folders of them")
    parser.add_argument("--names", nargs=2, default=["bfloat16", "float32"], help="of the two")
    parser.add_argument("--out", type=Path, help="JSON lines")
    parser.add_argument("--table", type=Path, help="show the lines of a file as a table")
    args = parser.parse_args()
    if args.table:
        print(table(args.table))
        return
    if not args.kept or not args.other:
        parser.error("the scores of both are needed, or --table FILE")
    lines = list(map(json.dumps, compare(scores([args.kept]), scores(args.other), args.names)))
    print("\n".join(lines))
    if args.out:
        args.out.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
