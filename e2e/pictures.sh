#!/usr/bin/env bash
# Pictures for docs, recorded on a lab of four bare hosts:
#
#   pictures.sh tui         docs/tui.md: what `slipway tui` shows from bare hosts to a running cluster
#   pictures.sh preflight   docs/preflight.md: what `slipway preflight` finds, and what --fix mends
#
#   BUNDLE   what the hosts are made from (default: dist/fast-bundle.tar)
#
# It runs with a home and a host name of its own, which only it sees: what is shown has no path of this machine.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
bundle=$(realpath "${BUNDLE:-dist/fast-bundle.tar}")
what=${1:?which pictures: tui or preflight}
lab=$what-pictures
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
  "record_$what"
}

# act records a script of e2e/testdata.
act() {
  env -i HOME=/home/admin USER=admin PATH="/home/admin/bin:$PATH" TERM=xterm-256color COLORTERM=truecolor LANG=C.UTF-8 \
    "$root/bin/record" act -pictures "$made" "$@"
}

record_tui() {
  act -size 100x30 -cast "$made/tui.cast" "$root/e2e/testdata/pictures-tui.txt" slipway tui -f prod.yaml
}

record_preflight() {
  install -m 0600 "$keys/known_hosts" .ssh/known_hosts
  {
    printf 'apiVersion: slipway.dev/v1alpha1\nkind: Cluster\nname: prod\nendpoint: {host: 10.80.0.100}\nhosts:\n'
    local i role
    for ((i = 0; i < ${#addresses[@]}; i += 2)); do
      role=control-plane
      [[ ${addresses[i]} = cp-* ]] || role=worker
      printf '  - {name: %s, address: %s, roles: [%s], ssh: {host: %s}}\n' "${addresses[i]}" "${addresses[i + 1]}" "$role" "${addresses[i]}"
    done
  } >prod.yaml
  act -size 150x60 "$root/e2e/testdata/pictures-preflight.txt" env PS1='$ ' sh
  "$root/bin/slipway" lab exec --name "$lab" cp-2 -- mv /etc/kubernetes /etc/kubernetes.old # as it says
  act -size 150x60 "$root/e2e/testdata/pictures-preflight-fix.txt" env PS1='$ ' sh
}

# spoil gives the hosts what people's hosts have.
spoil() {
  on() { bin/slipway lab exec --name "$lab" "$1" -- sh -euc "$2"; }
  on cp-2 'mkdir -p /etc/kubernetes/manifests; echo "kind: Pod" > /etc/kubernetes/manifests/kube-apiserver.yaml'
  on cp-3 'echo "nameserver 127.0.0.53" > /etc/resolv.conf; swapoff -a'
  on worker-1 'nft "add table inet mine; add chain inet mine in { type filter hook input priority 0; }; add rule inet mine in tcp dport 10250 drop"; ip link set dev eth0 mtu 1400'
}

if [ "${2:-}" = inside ]; then
  inside
  exit
fi

made=$(mktemp -d)
trap 'bin/slipway lab down --name "$lab"; rm -rf "$made"' EXIT
bin/slipway lab up --name "$lab" --subnet 10.80.0.0/24 --control-planes 3 --workers 1
keys=$(bin/slipway lab list --name "$lab" -o json | sed -n 's/^ *"dir": "\(.*\)",$/\1/p')
export made keys
[ "$what" != preflight ] || spoil
unshare --uts --mount --propagation private "$0" "$what" inside
[ "$what" != tui ] || bin/record animate "$made/tui.cast" "$made/tui.svg"

# Whatever was recorded, no path of this machine may be in it. (/root is the hosts'.)
if grep -oE ".{0,40}(/tmp/|$root).{0,40}" "$made"/*; then
  echo "pictures: these have a path of this machine in them: docs is left as it was" >&2
  exit 1
fi
mkdir -p docs/pictures
rm -f docs/pictures/"$what"-*.svg
cp "$made"/"$what"*.svg docs/pictures/
[ "$what" != tui ] || cp "$made/tui.cast" docs/tui.cast
