# Sourced by the other scripts. ensure_environment DIR GROUP... makes a virtual environment in DIR
# with this checkout (editable) and the named dependency groups of pyproject.toml, at the versions
# of constraints.txt. Done once: a stamp skips it until one of these inputs changes.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

find_python() {
    local candidate
    for candidate in ${PYTHON:-} python3 python3.13 python3.12 python3.11; do
        if "$candidate" -c 'import sys, venv; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' \
            2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    echo "tensorgate: Python 3.11, 3.12 or 3.13 is needed (set PYTHON to name one)" >&2
    return 1
}

# uv installs TensorFlow several times faster than pip. It writes no bytecode unless asked to, and
# without that every import of TensorFlow takes ten seconds.
install_packages() {
    local python=$1/bin/python
    shift
    local uv
    uv=$(command -v uv) || uv=$(dirname "$python")/uv
    if [ ! -x "$uv" ]; then
        "$python" -m pip install --quiet --disable-pip-version-check uv || return 1
    fi
    "$uv" pip install --quiet --python "$python" --compile-bytecode \
        --constraints "$root/constraints.txt" "$@"
}

install_packages_with_pip() {
    local python=$1/bin/python
    shift
    "$python" -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1' || return 1
    "$python" -m pip install --quiet --disable-pip-version-check \
        --constraint "$root/constraints.txt" "$@"
}

ensure_environment() {
    local directory=$1 python stamp group
    shift
    python=$(find_python) || return 1
    stamp="$("$python" -V) $* $(cat "$root/pyproject.toml" "$root/constraints.txt" | cksum)"
    if [ "$(cat "$directory/.installed" 2>/dev/null)" = "$stamp" ]; then
        return
    fi
    echo "Installing into $directory (once; TensorFlow is a large download) ..." >&2
    rm -rf "$directory"
    "$python" -m venv "$directory" || return 1
    local what=(--editable "$root")
    for group in "$@"; do
        what+=(--group "$root/pyproject.toml:$group")
    done
    install_packages "$directory" "${what[@]}" ||
        install_packages_with_pip "$directory" "${what[@]}" || return 1
    echo "$stamp" >"$directory/.installed"
}
