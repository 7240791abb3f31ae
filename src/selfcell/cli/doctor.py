"""Say what is wrong with a file of cells, and how to mend it."""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict

from selfcell.cli import common


def parser() -> argparse.ArgumentParser:
    """Options of `selfcell doctor`."""
    made = common.make_parser(
        "doctor",
        "Say what is wrong with a file of cells, and how to mend it: counts, names of genes, "
        "species, empty cells, columns of labels and batches, memory needed. Nothing is changed. "
        "Exit code 0: fit for use; 1: something is to be mended; 2: the file cannot be read.",
        "selfcell doctor cells.h5ad --model model",
    )
    common.add_file(made)
    model = "model to hold the genes to, a folder or owner/name on the Hugging Face Hub"
    common.option(made, "--model", "MODEL", model, "model", shown="none")
    return made


def main(args: argparse.Namespace) -> None:
    """Read, examine, report; exits 1 where something is to be mended."""
    from selfcell.api import load
    from selfcell.doctor import examine

    model = load(args.model) if args.model else None
    with common.opened(args.file) as cells:
        facts, findings = examine(cells, args.layer, args.gene_ids, model)
    if args.json:
        common.show({**facts, "findings": [asdict(each) for each in findings]}, True)
    else:
        common.show(facts, False)
        for each in sorted(findings, key=lambda each: each.level):
            remedy = f"; remedy: {each.remedy}" if each.remedy else ""
            print(f"{each.level.upper()}: {each.what}{remedy}")
    sys.exit(any(each.level == "mend" for each in findings))
