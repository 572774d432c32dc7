#!/bin/sh
# Measures what Nightporter costs, beside bare equivalents and a naive design. Nothing outside this machine is touched.
#
#   sh scripts/bench.sh            a look: 10 to 20 minutes on two cores
#   sh scripts/bench.sh --full     more repetitions, a million rows, 12,000 cycles: an hour or more
#   sh scripts/bench.sh --only inbox --only memory
#
# The queues that ours is compared with get a virtual environment of their own (.venv-bench, and .bench-node where Node
# is there); some of them need a Redis server, one a PostgreSQL server. Where one is missing (or NIGHTPORTER_NO_SYSTEM_PACKAGES=1 forbids to install it),
# the comparison is left out and the result says so.
set -eu
cd "$(dirname "$0")/.."
# shellcheck source=scripts/lib.sh
. scripts/lib.sh

if [ -z "${BENCH_PYTHON:-}" ]; then
    sh scripts/setup.sh --dev
    BENCH_PYTHON=$VENV_PYTHON
fi

if [ -z "${BENCH_PEERS_PYTHON:-}" ]; then
    BENCH_PEERS_PYTHON=.venv-bench/bin/python
    wanted=$(cksum <benchmarks/requirements.txt)
    if [ ! -f .venv-bench/stamp ] || [ "$(cat .venv-bench/stamp)" != "$wanted" ]; then
        step "Making .venv-bench with the other queues (about 15 seconds)"
        install="-m pip install --disable-pip-version-check -r benchmarks/requirements.txt"
        # shellcheck disable=SC2086 # words of an option each
        if logged "$BENCH_PYTHON" -m venv --clear .venv-bench && logged three_times "$BENCH_PEERS_PYTHON" $install; then
            printf '%s\n' "$wanted" >.venv-bench/stamp
        else
            note "not possible here; the other queues are left out (see $SETUP_LOG)"
        fi
    fi
fi
have redis-server || apt_install redis-server || note "no Redis server: some of the other queues are left out"

if [ -z "${BENCH_NODE_MODULES:-}" ] && have node && have npm; then
    BENCH_NODE_MODULES=$PWD/.bench-node/node_modules
    if [ ! -d "$BENCH_NODE_MODULES/bullmq" ]; then
        step "Fetching BullMQ into .bench-node"
        install="npm install --prefix .bench-node --no-audit --no-fund --ignore-scripts bullmq@6.7.0 ioredis@5"
        # shellcheck disable=SC2086 # words of an option each
        logged three_times $install || note "not possible here; BullMQ is left out (see $SETUP_LOG)"
    fi
    export BENCH_NODE_MODULES
fi

export BENCH_PEERS_PYTHON
# Compiled files are kept, as on a user's machine: the start of the commands is measured, too.
unset PYTHONDONTWRITEBYTECODE
exec "$BENCH_PYTHON" -m benchmarks "$@"
