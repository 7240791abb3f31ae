#!/usr/bin/env bash
# Run by Snakemake inside the new conda environment, from the folder of the study.
set -euo pipefail
pip install --no-deps --editable "$PWD"
