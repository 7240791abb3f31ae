#!/usr/bin/env bash
# submit.sh THREADS MEM_MB MINUTES SCRIPT: hand a job to the batch system and print its id, alone on
# one line. This one runs it in the background, in a session of its own; its id is its process's and
# the time, since a system gives process numbers anew.
# For a batch system it is one line, such as (PBS):
#   qsub -l "select=1:ncpus=$1:mem=${2}mb,walltime=$(($3 * 60))" "$4"
set -euo pipefail
jobs=.snakemake/cluster-generic
mkdir -p "$jobs"
now=$(date +%s%N)
setsid bash -c 'timeout "$1m" "$2"; echo $? >"$3/$$.$4.exit"' job "$3" "$4" "$jobs" "$now" \
	</dev/null >>"$jobs/out.log" 2>&1 &
echo "$!.$now"
