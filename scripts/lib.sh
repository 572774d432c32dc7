# Words that the other scripts share. Sourced from the repository root, never run. POSIX sh.
# shellcheck shell=sh
# shellcheck disable=SC2034 # the names below are used by the scripts that source this one

SETUP_LOG=logs/setup.log
VENV_PYTHON=.venv/bin/python
apt_lists_are_fresh=no

step() { printf '==> %s\n' "$*"; }
note() { printf '    %s\n' "$*"; }

# fail "what is wrong" ["what to do" ...]
fail() {
    printf '\nerror: %s\n' "$1" >&2
    shift
    for line in "$@"; do printf '       %s\n' "$line" >&2; done
    exit 1
}

have() { command -v "$1" >/dev/null 2>&1; }

now() { date +%s; }

# logged COMMAND ...: what it prints goes to the log; the end of it is shown if it fails
logged() {
    mkdir -p logs
    printf '\n# %s: %s\n' "$(date '+%Y-%m-%d %H:%M:%S')" "$*" >>"$SETUP_LOG"
    "$@" >>"$SETUP_LOG" 2>&1 </dev/null
}

show_log_end() {
    note "the last lines of $SETUP_LOG:"
    tail -n 15 "$SETUP_LOG" | sed 's/^/      | /'
}

# three_times COMMAND ...: package servers and name look-ups fail now and then
three_times() {
    for pause in 2 5 stop; do
        if "$@"; then return 0; fi
        if [ "$pause" = stop ]; then return 1; fi
        note "that failed; once more in $pause seconds"
        sleep "$pause"
    done
}

# at_most SECONDS COMMAND ...: ends a command that hangs, where the system has `timeout`
at_most() {
    limit=$1
    shift
    if have timeout; then timeout "$limit" "$@"; else "$@"; fi
}

# System packages may be installed by root, or by somebody who may use sudo. `sudo` may ask for the
# password only where a person sits at the terminal.
can_install() {
    [ "${NIGHTPORTER_NO_SYSTEM_PACKAGES:-}" = "" ] || return 1
    have apt-get || return 1
    [ "$(id -u)" -eq 0 ] && return 0
    have sudo || return 1
    sudo -n true 2>/dev/null && return 0
    [ -t 0 ] && sudo -v
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

apt() {
    logged as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y \
        -o DPkg::Lock::Timeout=120 -o Acquire::Retries=3 -o Dpkg::Use-Pty=0 "$@"
}

# apt_install PACKAGE ...: false if that is not possible here
apt_install() {
    can_install || return 1
    if [ "$apt_lists_are_fresh" = no ]; then
        three_times apt update || note "the package lists could not be renewed; going on with those that are there"
        apt_lists_are_fresh=yes
    fi
    three_times apt install --no-install-recommends "$@"
}
