#!/bin/sh
# Shows Nightporter at work on a simulated inbox, with a real browser. No account, no key, nothing to configure.
# The first run sets everything up (one to three minutes); later ones start at once. Any option is passed on.
set -eu
cd "$(dirname "$0")/.."
# shellcheck source=scripts/lib.sh
. scripts/lib.sh

sh scripts/setup.sh
step "Playing the demo: guests write, the assistant answers, every reply is checked in its thread (about half a minute; all channels: a minute)"
exec "$VENV_PYTHON" src/main.py demo --once "$@"
