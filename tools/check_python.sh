#!/bin/sh
# Can this Python make the environment? Says in plain words what to install when it cannot.
# Usage: sh tools/check_python.sh [PYTHON [failed]]     failed: `PYTHON -m venv` was tried, and failed

python=${1:-python3}

is_suitable() {
    "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null
}

makes_environments() {
    "$1" -c 'import venv, ensurepip; ensurepip.version()' 2>/dev/null
}

# A Python that can do all of it, under another name.
another() {
    for candidate in python3.13 python3.12 python3.11; do
        if [ "$candidate" != "$python" ] && is_suitable "$candidate" && makes_environments "$candidate"; then
            printf '%s' "$candidate"
            return
        fi
    done
}

stop() {
    printf '\nsocialfinance cannot be set up yet.\n' >&2
    printf '%s\n' "$@" >&2
    printf '\n' >&2
    exit 1
}

# Stops with the problem, and what to do about it.
no_python() {
    found=$(another)
    if [ -n "$found" ]; then
        stop "$@" "  There is $found. Use it:" "      make PYTHON=$found"
    fi
    stop "$@" \
        "  Install one of these with its venv module (3.13, or the newest of the three that your system has):" \
        "      Debian, Ubuntu:  sudo apt install python3.13 python3.13-venv" \
        "      Fedora:          sudo dnf install python3.13" \
        "      macOS:           brew install python@3.13" \
        "      anything else:   https://www.python.org/downloads/" \
        "  and then name it:    make PYTHON=python3.13"
}

no_environments() {
    found=$(another)
    if [ -n "$found" ]; then
        stop "$@" "  There is $found, which can. Use it:" "      make PYTHON=$found"
    fi
    stop "$@" \
        "  Debian and Ubuntu ship what it needs as a package of its own:" \
        "      sudo apt install python3-venv" \
        "  If that is not enough, name the version: sudo apt install python${version%.*}-venv"
}

if ! version=$("$python" -c 'import platform; print(platform.python_version())' 2>/dev/null); then
    no_python "  '$python' was not found or does not run. It needs Python 3.11, 3.12 or 3.13."
fi
if ! is_suitable "$python"; then
    no_python "  '$python' is Python $version. It needs 3.11, 3.12 or 3.13."
fi
if ! makes_environments "$python"; then
    no_environments "  '$python' (Python $version) cannot make virtual environments: its venv or ensurepip" \
        "  module is missing."
fi
if [ "${2:-}" = failed ]; then
    stop "  '$python' (Python $version) could not make a virtual environment: see what it said above." \
        "  Is the disk full, or this folder read-only? Another Python: make PYTHON=python3.12"
fi
