#!/usr/bin/env bash
# Install what the commands need and is missing: Debian packages, a Python environment.
# Usage: bootstrap.sh [packages|python|wasm|peers|nova|debian|all]   (all: packages and Python; the default)
# peers: Home Assistant and Node-RED under build/peers, for the figures beside them.
# debian: what builds a whole Debian as a guest, for the figures of machines.
# nova: an OpenStack under build/peers and what it stands on, for `make test-openstack`.
# Runs any number of times; a second run only compares stamps. Details go to build/bootstrap.log.
set -euo pipefail
cd "$(dirname "$0")/../.."
PACKAGES="mosquitto libvirt-daemon-system libvirt-dev libvirt-clients libvirt-daemon-driver-qemu
  qemu-system-x86 qemu-utils dnsmasq-base pulseaudio pulseaudio-utils libportaudio2 libasound2-plugins libasound2-dev
  alsa-utils ffmpeg minisign lz4 cpio postgresql busybox-static linux-image-cloud-amd64 espeak-ng sox python3-venv
  python3-dev gcc pkg-config iproute2 procps chromium fonts-dejavu-core"
NOVA_PACKAGES="rabbitmq-server mariadb-server libvirt-dev python3-dev python3-venv gcc pkg-config"
PYTHON=${PYTHON:-/usr/bin/python3}
LOG=build/bootstrap.log
mkdir -p build

say() { printf 'bootstrap: %s\n' "$*"; }

fail() {
  say "$1" >&2
  tail -n 40 "$LOG" >&2
  exit 1
}

# Run a command with its output in the log; show the log's end when it fails.
quietly() {
  local what=$1; shift
  printf '\n== %s\n' "$*" >>"$LOG"
  "$@" >>"$LOG" 2>&1 </dev/null || fail "$what failed; the end of $LOG:"
}

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"
  elif command -v sudo >/dev/null; then sudo -n "$@" 2>/dev/null || sudo "$@"
  else fail "needs root for: $* (run as root, or install sudo)"
  fi
}

missing_packages() {
  # One question for all: dpkg-query prints the state of each it knows.
  # shellcheck disable=SC2086
  local installed
  installed=$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' $PACKAGES 2>/dev/null |
    awk '$2 == "installed" { print $1 }' | sort -u) || true
  for package in $PACKAGES; do
    grep -qx "$package" <<<"$installed" || printf '%s ' "$package"
  done
}

# While packages are installed no service may start: the project starts its own, on free ports.
POLICY=/usr/sbin/policy-rc.d
hold_services() {
  [ -e "$POLICY" ] && return
  printf '#!/bin/sh\nexit 101\n' | as_root tee "$POLICY" >/dev/null
  as_root chmod 755 "$POLICY"
  trap 'as_root rm -f "$POLICY"' EXIT
}

release_services() {
  if [ -n "$(trap -p EXIT)" ]; then as_root rm -f "$POLICY"; trap - EXIT; fi
  # Nor at the next boot of this machine.
  if [ -d /run/systemd/system ]; then
    for unit in mosquitto.service libvirtd.service libvirtd.socket libvirt-guests.service postgresql.service \
      rabbitmq-server.service mariadb.service; do
      as_root systemctl disable --now "$unit" >>"$LOG" 2>&1 || true
    done
  fi
}

apt_install() {
  as_root env DEBIAN_FRONTEND=noninteractive INITRD=No \
    apt-get install -y -q --no-install-recommends -o Dpkg::Use-Pty=0 "$@"
}

packages() {
  command -v dpkg-query >/dev/null || fail "this needs Debian 12 or newer (no dpkg here)"
  local missing
  missing=$(missing_packages)
  [ -z "$missing" ] && return
  say "installing Debian packages: $missing"
  quietly "apt-get update" as_root apt-get update -q
  hold_services
  # A kernel's own hooks (initramfs, boot loader) may fail in a container; its file is all we need.
  # shellcheck disable=SC2086
  if ! apt_install $missing >>"$LOG" 2>&1 </dev/null; then
    missing=$(missing_packages)
    [ -z "$missing" ] || ls /boot/vmlinuz-*cloud* >/dev/null 2>&1 ||
      fail "apt-get install failed; the end of $LOG:"
    [ -z "${missing//linux-image-cloud-amd64 /}" ] ||
      fail "apt-get could not install $missing; the end of $LOG:"
  fi
  release_services
}

stamp_of() { cat "$@" | sha256sum | cut -d' ' -f1; }

# pinned LOCK NAME...: the lines of the lock file that pin these.
pinned() {
  local lock=$1; shift
  awk -v names=" $* " '/^[a-z]/ { split($0, name, "=="); keep = index(names, " " name[1] " ") }
    keep { print }' "$lock"
}

# environment FOLDER LOCK: a virtual environment holding exactly what the lock file pins.
environment() {
  local folder=$1 lock=$2 wanted
  wanted=$(stamp_of "$lock" pyproject.toml tests/world/bootstrap.sh)
  [ "$(cat "$folder/.stamp" 2>/dev/null)" = "$wanted" ] && return
  "$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    fail "$PYTHON is older than Python 3.11: set PYTHON to a newer one"
  say "preparing $folder from $lock"
  [ -x "$folder/bin/python" ] || quietly "python -m venv" "$PYTHON" -m venv "$folder"
  local pip=("$folder/bin/python" -m pip --disable-pip-version-check)
  # What has no wheel is built here, with pinned tools, not with what pip would fetch for it.
  pinned "$lock" setuptools wheel packaging >build/tools.txt
  [ ! -s build/tools.txt ] ||
    quietly "pip install setuptools wheel" "${pip[@]}" install --require-hashes -r build/tools.txt
  quietly "pip install -r $lock" \
    "${pip[@]}" install --require-hashes --no-build-isolation -r "$lock"
  if [ "$folder" = .venv ]; then
    quietly "pip install roomkeeper" \
      "${pip[@]}" install --no-deps --no-build-isolation --no-index -e .
  fi
  printf '%s\n' "$wanted" >"$folder/.stamp"
}

# Node-RED from npm, on the Node that PyPI carries: the same one on every machine.
node_red() {
  local folder=build/peers/nodered wanted
  environment build/peers/node lock/node.txt
  wanted=$(stamp_of lock/nodered/package-lock.json lock/node.txt)
  [ "$(cat "$folder/.stamp" 2>/dev/null)" = "$wanted" ] && return
  say "preparing $folder from lock/nodered/package-lock.json"
  mkdir -p "$folder"
  cp lock/nodered/package.json lock/nodered/package-lock.json "$folder"
  quietly "npm ci" env PATH="$PWD/build/peers/node/bin:$PATH" \
    npm ci --prefix "$folder" --ignore-scripts --no-audit --no-fund
  printf '%s\n' "$wanted" >"$folder/.stamp"
}

# What JavaScript plugins are built with; npm is that of the environment beside it.
javascript() {
  local wanted folder=wasm_modules
  wanted=$(stamp_of "$folder/package-lock.json")
  [ "$(cat "$folder/node_modules/.stamp" 2>/dev/null)" = "$wanted" ] && return
  say "preparing $folder/node_modules from its lock file"
  quietly "npm ci" env PATH="$PWD/.venv-wasm/bin:$PATH" npm ci --prefix "$folder"
  printf '%s\n' "$wanted" >"$folder/node_modules/.stamp"
}

case ${1:-all} in
  packages) packages ;;
  python) environment .venv lock/dev.txt ;;
  wasm) environment .venv-wasm lock/wasm.txt; javascript ;;
  homeassistant) environment build/peers/homeassistant lock/homeassistant.txt ;;
  nodered) node_red ;;
  nova) PACKAGES=$NOVA_PACKAGES; packages; environment build/peers/nova lock/nova.txt ;;
  debian) PACKAGES="mmdebstrap e2fsprogs"; packages ;;
  peers) environment build/peers/homeassistant lock/homeassistant.txt; node_red ;;
  all) packages; environment .venv lock/dev.txt ;;
  *) fail "usage: bootstrap.sh [packages|python|wasm|homeassistant|nodered|peers|nova|debian|all]" ;;
esac
