#!/usr/bin/env bash
# cancel.sh ID...: stop jobs and all they started; Snakemake calls it when it is interrupted.
for id in "$@"; do
	pkill -TERM --session "${id%.*}" || true # over already
done
