#!/bin/sh
# Sets Nightporter up in this folder: a virtual environment (.venv), the Python packages, a browser that works.
# Safe to run again at any time; when everything is there it only looks, in about two seconds.
#
#   sh scripts/setup.sh          what the product needs
#   sh scripts/setup.sh --dev    and what its tests and checks need
#
# PYTHON=/path/to/python3                  use this Python for the virtual environment
# NIGHTPORTER_NO_SYSTEM_PACKAGES=1         never install packages of the operating system
set -eu
cd "$(dirname "$0")/.."
# shellcheck source=scripts/lib.sh
. scripts/lib.sh

requirements="requirements.txt"
case "${1:-}" in
    "") ;;
    --dev) requirements="requirements-dev.txt" ;;
    *) fail "unknown option: $1" "usage: sh scripts/setup.sh [--dev]" ;;
esac

# --- Python and its packages ---------------------------------------------------------------------------------

find_python() {
    for name in "${PYTHON:-python3}" python3.14 python3.13 python3.12 python3.11; do
        if have "$name" && "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$name"
            return 0
        fi
    done
    return 1
}

# What the stamps must say: any change of the folder, of Python or of a list of packages makes them stale.
fingerprint_of() {
    { pwd -P; "$VENV_PYTHON" --version; cat constraints.txt "$@"; } 2>/dev/null | cksum
}

runtime_fingerprint() { fingerprint_of requirements.txt; }
dev_fingerprint() { fingerprint_of requirements.txt requirements-dev.txt; }

is_stamped() { [ -f ".venv/$1.stamp" ] && [ "$(cat ".venv/$1.stamp")" = "$2" ]; }

packages_are_there() {
    [ -x "$VENV_PYTHON" ] || return 1
    is_stamped dev "$(dev_fingerprint)" && return 0
    [ "$requirements" = requirements.txt ] && is_stamped runtime "$(runtime_fingerprint)"
}

# A virtual environment that was moved, copied or half made is made again.
venv_is_usable() {
    [ -f .venv/place ] && [ "$(cat .venv/place)" = "$(pwd -P)" ] &&
        "$VENV_PYTHON" -c 'import sys, pip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

make_venv() {
    python=$(find_python) || fail "Python 3.11 or newer is needed, and was not found." \
        "On Debian 12, Ubuntu 24.04 or newer:  apt install python3 python3-venv" \
        "Elsewhere install it, or name it:     PYTHON=/path/to/python3 sh scripts/setup.sh"
    # `venv --clear` empties what a link points to, which is not ours.
    if [ -L .venv ]; then
        note ".venv is a link to $(readlink .venv); the link is replaced, what it points to stays as it is"
        rm .venv
    fi
    step "Making the virtual environment .venv with $("$python" --version) (about 5 seconds)"
    if "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        logged "$python" -m venv --clear .venv || { show_log_end; fail "the virtual environment could not be made"; }
    elif apt_install python3-venv && "$python" -c 'import ensurepip' 2>/dev/null; then
        note "installed the system's package python3-venv, which was missing"
        logged "$python" -m venv --clear .venv || { show_log_end; fail "the virtual environment could not be made"; }
    elif "$python" -m pip --version >/dev/null 2>&1 && logged "$python" -m venv --clear --without-pip .venv &&
        logged "$python" -m pip --python "$VENV_PYTHON" install pip; then
        note "python3-venv is missing; made it with the system's pip instead"
    else
        fail "this Python cannot make virtual environments (its module ensurepip is missing)." \
            "As root, or with sudo:  apt install python3-venv" \
            "then run this script again."
    fi
    pwd -P >.venv/place
}

install_packages() {
    step "Installing the Python packages of $requirements (about 30 seconds; minutes on a slow line)"
    three_times logged "$VENV_PYTHON" -m pip install --disable-pip-version-check --no-input --prefer-binary \
        -r "$requirements" || {
        show_log_end
        fail "the Python packages could not be installed." "Is this machine online? Then run the script again."
    }
    runtime_fingerprint >.venv/runtime.stamp
    if [ "$requirements" = requirements-dev.txt ]; then dev_fingerprint >.venv/dev.stamp; fi
}

# --- The browser -----------------------------------------------------------------------------------------------

# Starts a browser, types into a page and reads it back. Prints which one works.
browser_works() { "$VENV_PYTHON" scripts/browser_smoke.py 2>>"$SETUP_LOG"; }

# Playwright brings its own Node, which needs a library that small Debian systems do not have.
driver_works() { logged "$VENV_PYTHON" -m playwright --version; }

mend_driver() {
    driver_works && return 0
    step "Installing libatomic1, which Playwright needs (about 15 seconds)"
    if apt_install libatomic1 && driver_works; then return 0; fi
    show_log_end
    fail "Playwright's driver does not start." \
        "Most often a system library is missing. As root, or with sudo:  apt install libatomic1"
}

download_browser() {
    step "Downloading Playwright's Chromium (one or two minutes; given up after ten)"
    logged at_most 600 env PLAYWRIGHT_DOWNLOAD_CONNECTION_TIMEOUT=10000 \
        "$VENV_PYTHON" -m playwright install --no-shell chromium
}

install_browser() {
    if download_browser; then
        browser_works && return 0
        if can_install; then
            step "Installing the system libraries that this browser needs (about a minute)"
            three_times logged "$VENV_PYTHON" -m playwright install-deps chromium || true
            browser_works && return 0
        fi
    else
        note "the download is not possible here"
    fi
    can_install || return 1
    step "Installing the system's own Chromium (about a minute, 110 MB)"
    apt_install chromium chromium-sandbox fonts-liberation libatomic1 && browser_works
}

# ---------------------------------------------------------------------------------------------------------------

mkdir -p logs data session
chmod 700 session logs # the login will be in there
if [ -f .env ]; then chmod 600 .env; fi
if packages_are_there; then
    step "Python packages: there"
else
    venv_is_usable || make_venv
    install_packages
fi

step "Trying a browser (a few seconds)"
browser_works && exit 0
note "no browser works yet"
mend_driver
browser_works && exit 0
install_browser && exit 0
show_log_end
fail "no usable browser was found, and none could be installed." \
    "Any one of these helps; then run the script again:" \
    "  as root:     apt install chromium chromium-sandbox" \
    "  as anybody:  .venv/bin/python -m playwright install chromium   (needs internet)" \
    "  Google Chrome or Chromium installed by hand, and its path in BROWSER_EXECUTABLE_PATH"
