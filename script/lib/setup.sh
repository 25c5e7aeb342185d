# Shared by the scripts: system packages, virtual environment, build. Sourced, not run.
# Every step says what it does and is skipped when nothing changed.

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

SYSTEM_PACKAGES=(python3-venv python3-dev g++ cmake ninja-build libssl-dev libipsec-mb-dev libgtest-dev)
# Peers that some tests talk to. A test whose peer is missing skips and says so.
PEER_PACKAGES=(ffmpeg gstreamer1.0-tools gstreamer1.0-plugins-base gstreamer1.0-plugins-good
  gstreamer1.0-plugins-bad gstreamer1.0-plugins-ugly gstreamer1.0-libav python3-gst-1.0 gir1.2-gst-plugins-base-1.0
  postgresql redis-server coturn tshark chromium-headless-shell)
VENV=.venv
# A unit may take 0.8 GB to compile; Ninja alone would begin two more than there are cores.
export CMAKE_BUILD_PARALLEL_LEVEL=${CMAKE_BUILD_PARALLEL_LEVEL:-$(nproc)}

say() { printf '\033[1m==> %s\033[0m\n' "$*"; }

# help_asked ARGUMENT...: with --help, prints the comment at the head of the script and ends.
help_asked() {
  [[ "${1:-}" =~ ^(-h|--help)$ ]] || return 0
  sed -n '2,/^[^#]/s/^# \?//p' "script/$(basename "$0")"
  exit
}

# missing_packages PACKAGE...: those that are not installed, one to a line.
missing_packages() {
  command -v dpkg-query >/dev/null || return 0  # not Debian: CMake names what it misses
  local package
  for package in "$@"; do
    # libipsec-mb exists on x86-64 only; elsewhere the OpenSSL back end does everything.
    [ "$package" = libipsec-mb-dev ] && [ "$(dpkg --print-architecture)" != amd64 ] && continue
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || echo "$package"
  done
}

# as_root COMMAND...: fails, silently, where this user may not.
as_root() {
  if [ "$(id -u)" -eq 0 ]; then
    "$@"
  else
    command -v sudo >/dev/null && sudo -n true 2>/dev/null && sudo "$@"
  fi
}

# apt_install WHAT PACKAGE...: says so and installs, from the lists as they are.
apt_install() {
  local what=$1
  shift
  say "Installing $what: $*"
  DEBIAN_FRONTEND=noninteractive as_root apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

# known_packages PACKAGE...: those that this distribution has, one to a line.
known_packages() {
  local package
  for package in "$@"; do
    # Of a name that others only provide nothing is shown, but that is no failure.
    if [ -n "$(apt-cache show "$package" 2>/dev/null)" ]; then echo "$package"; fi
  done
}

# install_system_packages PACKAGE...: by apt where that is allowed, else the command to run.
install_system_packages() {
  local missing
  mapfile -t missing < <(missing_packages "$@")
  [ ${#missing[@]} -eq 0 ] && return 0
  as_root apt-get update -qq && apt_install "system packages" "${missing[@]}" && return 0
  echo "Missing system packages. Run this, then start again:"
  echo "  sudo apt-get update && sudo apt-get install -y --no-install-recommends ${missing[*]}"
  exit 1
}

# install_peer_packages: as above, but goes on without them. One that the distribution lacks, as Ubuntu
# does chromium-headless-shell, keeps none of the others out.
install_peer_packages() {
  local missing known unknown has_lists=
  mapfile -t missing < <(missing_packages "${PEER_PACKAGES[@]}")
  [ ${#missing[@]} -eq 0 ] && return 0
  as_root apt-get update -qq && has_lists=yes
  mapfile -t known < <(known_packages "${missing[@]}")
  mapfile -t unknown < <(printf '%s\n' "${missing[@]}" | grep -vxF -f <(printf '%s\n' "${known[@]}"))
  if [ ${#unknown[@]} -gt 0 ]; then
    echo "Peers that apt does not know here; the tests that need them skip and say so: ${unknown[*]}"
  fi
  [ ${#known[@]} -eq 0 ] && return 0
  [ -n "$has_lists" ] && apt_install "peers for interoperability tests" "${known[@]}" && return 0
  echo "Peers that are not installed; the tests that need them skip and say so. To have them:"
  echo "  sudo apt-get update && sudo apt-get install -y --no-install-recommends ${known[*]}"
}

# What was installed stands for these files; a change to one of them means: again.
inputs_digest() {
  { cat pyproject.toml CMakeLists.txt cmake/*.cmake
    find cpp -type f -print0 | sort -z | xargs -0 cat
    find python -name '*.py' | sort
    echo "$*"; } | sha256sum | cut -d' ' -f1
}

# install_project GROUP...: sealroom in editable mode with all extras and the given dependency groups.
install_project() {
  local python=${PYTHON:-python3}
  "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "Python 3.11 or newer is needed; $python is $("$python" --version). Set PYTHON to another one."
    exit 1
  }
  if [ ! -x $VENV/bin/python ]; then
    say "Creating the virtual environment $VENV"
    "$python" -m venv $VENV
  fi
  local digest stamp=$VENV/sealroom-installed
  digest=$(inputs_digest "$@")
  [ -f $stamp ] && [ "$(cat $stamp)" = "$digest" ] && return 0
  say "Installing dependencies into $VENV"
  $VENV/bin/python -m pip install -q --upgrade 'pip>=25.1' 'scikit-build-core>=1.0' 'pybind11>=3.1'
  local groups=() group
  for group in "$@"; do groups+=(--group "$group"); done
  say "Building the native core and installing sealroom"
  $VENV/bin/python -m pip install -q --no-build-isolation -e '.[all]' "${groups[@]}"
  echo "$digest" > $stamp
}
