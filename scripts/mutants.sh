#!/bin/sh
# Breaks the promises by hand, one after the other, in a scratch copy; each time a named test must notice. Minutes.
#
#   sh scripts/mutants.sh          all of them, and a table
#   sh scripts/mutants.sh 3 12     only these
#
# SOAK_PYTHON names a Python that has everything already; otherwise the development set-up is made first.
set -eu
cd "$(dirname "$0")/.."
# shellcheck source=scripts/lib.sh
. scripts/lib.sh

if [ -z "${SOAK_PYTHON:-}" ]; then
    sh scripts/setup.sh --dev
    SOAK_PYTHON=$VENV_PYTHON
fi
exec "$SOAK_PYTHON" -m tests.faults.mutants "$@"
