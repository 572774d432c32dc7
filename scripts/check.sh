#!/bin/sh
# The checks that need no running program: format, lint, types, layers, secrets, shell scripts. About 20 seconds.
# Needs `sh scripts/setup.sh --dev` once. Goes through all of them, then fails if one did.
set -eu
cd "$(dirname "$0")/.."
# shellcheck source=scripts/lib.sh
. scripts/lib.sh

failed=""
check() {
    what=$1
    shift
    step "$what"
    "$@" || failed="$failed
       $what"
}

check "format (ruff format)" "$VENV_PYTHON" -m ruff format --quiet --check --output-format concise .
check "lint (ruff check)" "$VENV_PYTHON" -m ruff check --quiet --output-format concise .
check "types (mypy --strict)" "$VENV_PYTHON" -m mypy
check "layers (import-linter)" .venv/bin/lint-imports --no-logo
check "nothing private or foreign in the repository" "$VENV_PYTHON" scripts/check_tracked_files.py
if have shellcheck; then
    check "shell scripts (shellcheck)" shellcheck -x scripts/*.sh .ci/run
else
    note "shellcheck is not installed; the shell scripts were not checked"
fi

[ -z "$failed" ] || fail "these checks failed:$failed"
