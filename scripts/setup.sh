# shellcheck shell=bash
# Sourced by the scripts beside it. Sets `root` (the repository) and `venv`; `set_up [EXTRA]` leaves jaxrate installed there.

root=$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
venv=$root/.venv

say() {
    printf 'jaxrate: %s\n' "$*" >&2
}

die() {
    say "$*"
    exit 1
}

is_recent() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

# The interpreter to make .venv with. Debian splits off the part that puts pip into a new environment.
find_python() {
    local name lacking=''
    for name in python3.13 python3.12 python3.11 python3; do
        is_recent "$name" || continue
        if "$name" -c 'import ensurepip, venv' 2>/dev/null; then
            printf '%s\n' "$name"
            return
        fi
        lacking=${lacking:-$name}
    done
    [ -z "$lacking" ] || die "$lacking cannot make a virtual environment: install the package python3-venv" \
        "(on Debian and Ubuntu: apt install python3-venv), or install uv, and run this again"
    die "Python 3.11 or later is needed, but none of python3.13, python3.12, python3.11, python3 is one:" \
        "install it (on Debian and Ubuntu: apt install python3 python3-venv), or install uv, and run this again"
}

has_uv() {
    command -v uv >/dev/null
}

# Also false for a .venv whose making was interrupted, or whose interpreter is gone: it is then made anew.
venv_works() {
    if has_uv; then "$venv/bin/python" -c ''; else "$venv/bin/python" -c 'import pip'; fi 2>/dev/null
}

make_venv() {
    local python
    if has_uv; then
        say "making $venv with uv"
        uv venv --quiet --clear --no-project --python '>=3.11' "$venv"
    else
        python=$(find_python)
        say "making $venv with $("$python" --version)"
        "$python" -m venv --clear "$venv"
    fi
}

pip_install() {
    if has_uv; then
        uv pip install --quiet --python "$venv/bin/python" "$@"
    else
        "$venv/bin/python" -m pip install --quiet --disable-pip-version-check "$@"
    fi
}

# What an installation depends on: the project file, and the place, which the installed command names.
wanted() {
    printf '# %s\n' "$root"
    cat "$root/pyproject.toml"
}

set_up() {
    local extra=${1:-}
    local stamp=$venv/installed${extra:+-$extra}.toml
    venv_works || make_venv
    if ! wanted | cmp -s - "$stamp"; then
        say "installing jaxrate${extra:+ with its tools for $extra} into $venv (minutes the first time)"
        pip_install --editable "$root${extra:+[$extra]}"
        wanted | tee "$stamp" >"$venv/installed.toml"
    fi
}
