#!/usr/bin/env bash
# Installs what building the bundle and running the lab need of Debian's or Ubuntu's
# packages: only what is missing, and nothing where nothing is. With the word vm also what virtual
# machines need.
set -euo pipefail

packages=(
  ca-certificates gcc libc6-dev libseccomp-dev   # runc is linked against C libraries
  zstd                           # compresses layers better than any Go library does
  mmdebstrap                     # makes the root of the lab's hosts
  openssh-client                 # its ssh-agent is one of the ways in that are tested
)
[ "${1:-}" != vm ] || packages+=(
  qemu-system-x86 seabios        # the emulator, without what it recommends for desktops
  e2fsprogs                      # makes the disks
)

missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0

if [ "$(id -u)" -ne 0 ]; then
  echo "setup: as root, type: apt-get install ${missing[*]}" >&2
  exit 1
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -q
apt-get install -q -y --no-install-recommends "${missing[@]}"
