#!/usr/bin/env bash
# A sweep as a batch job, written by `jaxrate slurm`. Submit it with `sbatch`, from the directory its paths are from.
#
# This job is small: it submits 4 to 64 workers, which are jobs of their own, and hands them the units of the sweep.
# Workers that are pre-empted, cancelled or reach their time limit are replaced, and their units computed again.
# What is done is in the store, unit by unit, so nothing is lost whatever is killed: submit this again to go on.
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=1
#SBATCH --mem=4G
#SBATCH --time=1-00:00:00
#SBATCH --partition=preempt
#SBATCH --job-name=jaxrate
#SBATCH --output=jaxrate-%j.log
# The same log again after a requeue:
#SBATCH --open-mode=append
# Back into the queue when it is pre-empted or its node fails:
#SBATCH --requeue
# A signal to this script before the time is up:
#SBATCH --signal=B:USR1@120
set -u

# The job inherits the environment of the shell that submits it; if yours does not, activate it here:
# source .venv/bin/activate

late=''
jaxrate sweep sweep.toml -o out \
    --engine slurm \
    --workers 4:64 \
    --cpus-per-task 8 \
    --mem 32G \
    --gres gpu:1 \
    --time 2:00:00 \
    --partition preempt &
sweep=$!

# A shell that waits runs its traps at once; the sweep then lets the units end that are computed just now.
trap 'late=1; kill -USR1 "$sweep"' USR1
trap 'kill -TERM "$sweep"' TERM
while kill -0 "$sweep" 2>/dev/null; do wait "$sweep"; done
wait "$sweep"
code=$?

# 2 and 3: an error in the files or options, or a store of another sweep.
case $code in 2 | 3) exit "$code" ;; esac
# Whether the sweep is complete its ledger knows: 0 if it is, 4 if units were left out, 75 if some are still to be done.
jaxrate status out --check
code=$?
# When the time was up, this job queues again and goes on where it was.
if [ "$code" = 75 ] && [ -n "$late" ]; then scontrol requeue "$SLURM_JOB_ID"; fi
exit "$code"
