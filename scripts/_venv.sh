# Sourced by scripts/try and scripts/check: the checkout's private virtual environment in .venv.
#
#   ensure_venv [EXTRAS]    makes .venv hold this checkout, editable, with these extras
#
# Expects $root. Everything said here goes to stderr: stdout belongs to the program that runs afterwards.

venv="$root/.venv"
stamp="$venv/.workbench-installed" # three lines: extras, place, pyproject.toml's checksum
oldest_minor=11

say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }

# Prints "MINOR PATH" of an interpreter that really runs, is new enough and can make virtual environments. A name on
# PATH proves nothing: pyenv leaves shims that only print an error, Debian ships Python without ensurepip. Of an active
# virtual environment it is the Python beneath: .venv's own goes away when .venv is made anew.
usable_python() {
  "$1" -c '
import sys
if sys.version_info < (3, int(sys.argv[1])): sys.exit(1)
import ensurepip, venv
print(sys.version_info.minor, sys._base_executable)' "$oldest_minor" 2>/dev/null
}

# Prints the newest usable interpreter; of equals, the one that is asked first.
find_python() {
  local name found best='' best_minor=0
  if [ -n "${WORKBENCH_PYTHON:-}" ]; then
    found=$(usable_python "$WORKBENCH_PYTHON") && printf '%s\n' "${found#* }" && return
    say "WORKBENCH_PYTHON=$WORKBENCH_PYTHON is not a Python 3.$oldest_minor or newer with venv and ensurepip"
    return 1
  fi
  for name in python3 python3.14 python3.13 python3.12 python3.11; do
    found=$(usable_python "$name") || continue
    [ "${found%% *}" -gt "$best_minor" ] || continue
    best_minor=${found%% *} best=${found#* }
  done
  if [ -z "$best" ]; then
    say "needs Python 3.$oldest_minor or newer with venv and ensurepip, and found none on PATH. To mend it:"
    say "  Debian, Ubuntu:  sudo apt-get install python3-venv"
    say "  Fedora:          sudo dnf install python3"
    say "  macOS:           brew install python@3.13"
    say "  anywhere:        set WORKBENCH_PYTHON=/path/to/python3"
    return 1
  fi
  printf '%s\n' "$best"
}

# Sets has_extras, has_place and has_sum to what the stamp says, empty without one.
read_stamp() {
  has_extras='' has_place='' has_sum=''
  [ ! -r "$stamp" ] || { read -r has_extras; read -r has_place; read -r has_sum; } <"$stamp" || true
}

# -x follows links: it notices an interpreter that went away (a pyenv version removed, Homebrew's upgrade). The place
# counts because the programs of a virtual environment name it, and so do not survive a move.
venv_works() { [ -x "$venv/bin/python" ] && [ "$has_place" = "$root" ]; }

venv_is_current() {
  read_stamp
  venv_works && [ "$has_sum" = "$(cksum <"$root/pyproject.toml")" ] && { [ -z "$1" ] || [ "$has_extras" = "$1" ]; }
}

make_venv() {
  local python
  if [ -e "$venv" ] && [ ! -e "$stamp" ]; then
    say "$venv exists and was not made by this script: move it out of the way first"
    return 1
  fi
  python=$(find_python) || return 1
  say "making .venv with $python"
  rm -rf "$venv" && mkdir "$venv" && : >"$stamp" || return 1
  "$python" -m venv "$venv" >&2 || { say "$python could not make a virtual environment in $venv"; return 1; }
}

install_venv() {
  local extras log="$venv/install.log"
  venv_is_current "$1" && return # another run did it while this one waited for the lock
  extras=${1:-$has_extras}       # what scripts/check brought stays when scripts/try installs again
  venv_works || make_venv || return 1
  printf '%s\n' "$extras" "$root" "unfinished" >"$stamp"
  say "installing workbench${extras:+[$extras]} into .venv; this can take a minute, later runs skip it"
  if ! "$venv/bin/python" -m pip install --disable-pip-version-check --no-input \
    -e "$root${extras:+[$extras]}" >"$log" 2>&1; then
    tail -n 10 "$log" >&2
    say "the installation failed; all that pip said is in $log"
    return 1
  fi
  printf '%s\n' "$extras" "$root" "$(cksum <"$root/pyproject.toml")" >"$stamp"
}

ensure_venv() {
  venv_is_current "${1:-}" && return
  # Two terminals may start at once. Where there is no flock (macOS), the second one takes its chance.
  (
    if command -v flock >/dev/null; then flock 9; fi
    install_venv "${1:-}"
  ) 9>"$root/.venv.lock"
}
