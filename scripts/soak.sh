#!/bin/sh
# The long run: crashes, kills and faults by the thousand, judged by the simulated site's own log.
#
#   sh scripts/soak.sh                                   a look at every level: some minutes
#   sh scripts/soak.sh --size full                       the figures of docs/reliability.md: hours
#   sh scripts/soak.sh --only A --trials A=10000 --seed 7 --database postgresql
#
# Ctrl-C ends it cleanly; the report (logs/soak-….md and .json) then holds what there is. A line of it replays a trial.
# SOAK_PYTHON names a Python that has everything already; otherwise the development set-up is made first.
set -eu
cd "$(dirname "$0")/.."
# shellcheck source=scripts/lib.sh
. scripts/lib.sh

if [ -z "${SOAK_PYTHON:-}" ]; then
    sh scripts/setup.sh --dev
    SOAK_PYTHON=$VENV_PYTHON
fi
exec "$SOAK_PYTHON" -m tests.faults.soak "$@"
