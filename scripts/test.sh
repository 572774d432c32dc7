#!/bin/sh
# Runs every check and every test. Sets up what they need first, each time again at no cost.
#
#   sh scripts/test.sh               everything: about twenty-five minutes on two cores
#   sh scripts/test.sh --quick       the checks and the fast tests: about eight minutes
#   sh scripts/test.sh [...] -- -x   what follows -- goes to pytest
#
# On Debian and Ubuntu, root (or somebody with sudo and no password) also gets the PostgreSQL server package,
# for the tests that run on it; elsewhere these are skipped and say so. NIGHTPORTER_NO_SYSTEM_PACKAGES=1 forbids it.
set -eu
cd "$(dirname "$0")/.."
# shellcheck source=scripts/lib.sh
. scripts/lib.sh

quick=no
while [ $# -gt 0 ]; do
    case $1 in
        --quick) quick=yes ;;
        --) shift; break ;;
        *) fail "unknown option: $1" "usage: sh scripts/test.sh [--quick] [-- options for pytest]" ;;
    esac
    shift
done

started=$(now)
# What pytest makes of the tests is kept between runs, whatever this shell says: compiling them takes its time.
unset PYTHONDONTWRITEBYTECODE

postgres_is_there() {
    have initdb && return 0
    for program in /usr/lib/postgresql/*/bin/initdb; do
        [ -x "$program" ] && return 0
    done
    return 1
}

# The package would make and start a database cluster of its own; the tests make theirs, so it is told not to.
install_postgres() {
    [ "$(id -u)" -eq 0 ] || sudo -n true 2>/dev/null || return 1
    can_install || return 1
    no_cluster=/etc/postgresql-common/createcluster.d/nightporter-tests.conf
    as_root mkdir -p /etc/postgresql-common/createcluster.d
    echo "create_main_cluster = false" | as_root tee "$no_cluster" >/dev/null
    installed=yes
    apt_install postgresql || installed=no
    as_root rm -f "$no_cluster"
    [ $installed = yes ] && postgres_is_there
}

sh scripts/setup.sh --dev

outcome=0
sh scripts/check.sh || outcome=1

# What fails is tried once more, alone: with others beside it on a busy machine, a limit may be met that is none. A test that
# fails again is a failure; one that passes then is named in the output of both runs. A run that did not come to its
# end (pytest's codes above 1) has no list of what failed, and is a failure.
run_tests() {
    at_once=$1
    marks=$2
    shift 2
    code=0
    "$VENV_PYTHON" -m pytest -n "$at_once" --dist loadgroup -m "$marks" "$@" || code=$?
    [ $code -eq 1 ] || return $code
    step "Once more, one at a time, what has failed"
    "$VENV_PYTHON" -m pytest --last-failed --last-failed-no-failures none -m "$marks" "$@"
}

fast="not browser and not acceptance and not pm2"
if [ $quick = yes ]; then
    step "Fast tests, two at a time (about seven minutes)"
    run_tests 2 "$fast and not postgres" "$@" || outcome=1
else
    if postgres_is_there; then
        step "PostgreSQL: there"
    else
        step "Installing the PostgreSQL server package for the tests (about half a minute)"
        install_postgres || note "not possible here; the tests that need it are skipped"
    fi
    have npm || note "npm is not here; the tests with the real PM2 are skipped"
    step "Tests without a browser, three at a time (about nine minutes on two cores)"
    run_tests 3 "$fast" "$@" || outcome=1
    # They wait more than they compute.
    step "Tests with a browser, with real processes and with PM2, three at a time (about fifteen minutes on two cores)"
    run_tests 3 "browser or acceptance or pm2" "$@" || outcome=1
fi

seconds=$(($(now) - started))
if [ $outcome -eq 0 ]; then
    step "All passed, in $((seconds / 60)) min $((seconds % 60)) s"
else
    step "FAILED (see above), after $((seconds / 60)) min $((seconds % 60)) s"
fi
exit $outcome
