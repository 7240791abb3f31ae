#!/usr/bin/env bash
# status.sh ID: print running, success or failed. Snakemake asks every few seconds.
set -euo pipefail
exit=.snakemake/cluster-generic/$1.exit
# Running is asked first: a job that ends in between is then seen to have ended.
kill -0 "${1%.*}" 2>/dev/null && running=true || running=false
if [ -s "$exit" ]; then
	[ "$(<"$exit")" = 0 ] && echo success || echo failed
elif $running; then
	echo running
else
	echo failed # killed, or the machine was restarted
fi
