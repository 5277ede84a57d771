#!/usr/bin/env bash
# The pictures of docs/tui.md: what `slipway tui` shows from four bare hosts to a running cluster, recorded on a lab.
#
#   BUNDLE   what the hosts are made from (default: dist/fast-bundle.tar)
#
# It runs with a home and a host name of its own, which only it sees: what is shown has no path of this machine.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
bundle=$(realpath "${BUNDLE:-dist/fast-bundle.tar}")
lab=tui-pictures
addresses=(cp-1 10.80.0.11 cp-2 10.80.0.12 cp-3 10.80.0.13 worker-1 10.80.0.21)

# Inside: the home. What is mounted here goes with this process.
inside() {
  hostname desk
  mount -t tmpfs tmpfs /home
  mkdir -p /home/admin/bin /home/admin/.ssh
  touch /home/admin/bin/slipway /home/admin/bundle.tar
  mount --bind "$root/bin/slipway" /home/admin/bin/slipway
  mount --bind -o ro "$bundle" /home/admin/bundle.tar
  install -m 0600 "$keys/id_ed25519" /home/admin/.ssh/id_ed25519
  printf 'Host cp-* worker-*\n  User root\n  IdentityFile ~/.ssh/id_ed25519\n  ProxyCommand slipway lab dial --name %s %%h %%p\n' "$lab" >/home/admin/.ssh/config
  local i
  for ((i = 0; i < ${#addresses[@]}; i += 2)); do
    printf 'Host %s\n  HostName %s\n' "${addresses[i]}" "${addresses[i + 1]}" >>/home/admin/.ssh/config
  done
  cd /home/admin
  env -i HOME=/home/admin USER=admin PATH="/home/admin/bin:$PATH" TERM=xterm-256color COLORTERM=truecolor LANG=C.UTF-8 \
    "$root/bin/record" act -size 100x30 -cast "$made/tui.cast" -pictures "$made" "$root/e2e/testdata/tui-pictures.txt" slipway tui -f prod.yaml
}

if [ "${1:-}" = inside ]; then
  inside
  exit
fi

made=$(mktemp -d)
trap 'bin/slipway lab down --name "$lab"; rm -rf "$made"' EXIT
bin/slipway lab up --name "$lab" --subnet 10.80.0.0/24 --control-planes 3 --workers 1
keys=$(bin/slipway lab list --name "$lab" -o json | sed -n 's/^ *"dir": "\(.*\)",$/\1/p')
export made keys
unshare --uts --mount --propagation private "$0" inside
bin/record animate "$made/tui.cast" "$made/tui.svg"

# Whatever was recorded, no path of this machine may be in it. (/root is the hosts'.)
if grep -oE ".{0,40}(/tmp/|$root).{0,40}" "$made"/*; then
  echo "tui-pictures: these have a path of this machine in them: docs is left as it was" >&2
  exit 1
fi
mkdir -p docs/pictures
rm -f docs/pictures/tui-*.svg
cp "$made"/tui*.svg docs/pictures/
cp "$made/tui.cast" docs/tui.cast
