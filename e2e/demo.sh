#!/usr/bin/env bash
# Four lab hosts, one highly available cluster, from nothing; then a control plane dies.
set -euo pipefail
cd "$(dirname "$0")/.."
say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
run() { printf '\033[2m$ %s\033[0m\n' "$*"; "$@"; }

say "Four hosts: real systemd and sshd, on a network with no way out"
run bin/slipway lab up --name demo --control-planes 3 --workers 1 --out demo.yaml

# Nothing but the bundle that this user has built may reach the hosts: make signs it.
key=${XDG_STATE_HOME:-$HOME/.local/state}/slipway/bundle/signing.pub
sed -i "/^name:/a bundle: {trustedKeyFiles: [\"$key\"]}" demo.yaml

say "From bare hosts to a highly available cluster, all control planes at once"
run bin/slipway init -f demo.yaml --bundle dist/fast-bundle.tar --yes --timeline demo.svg

say "Nodes and Pods, all Ready"
run bin/slipway kubectl -f demo.yaml -- wait --for=condition=Ready pods --all --all-namespaces --timeout=120s >/dev/null
run bin/slipway kubectl -f demo.yaml -- get pods -A -o wide
run bin/slipway status -f demo.yaml

# What a client on the worker sees of the endpoint, four times a second.
watch_endpoint() {
  bin/slipway lab exec --name demo worker-1 -- bash -c '
    for ((i = 0; i < 48; i++)); do
      printf "  %s  %s\n" "$(date +%T.%1N)" "$(curl -sk --max-time 1 https://'"$1"'/readyz || echo no answer)"
      sleep 0.25
    done' | awk '{ answer = $0; sub(/^ *[^ ]+ */, "", answer); if (answer != last) print; last = answer }'
}

endpoint=$(bin/slipway status -f demo.yaml | awk '$1 == "endpoint" { print $2 }')
holder=$(bin/slipway status -f demo.yaml | awk '$1 == "VIP" { print $NF }')
say "$holder, which has the endpoint's address, loses its power; the API goes on answering"
watch_endpoint "$endpoint" &
sleep 2
run bin/slipway lab kill --name demo "$holder"
wait
run bin/slipway status -f demo.yaml || true

say "Its power comes back, and so does it, by itself"
run bin/slipway lab start --name demo "$holder"
for ((i = 0; i < 60; i++)); do bin/slipway status -f demo.yaml >/dev/null 2>&1 && break; sleep 1; done
run bin/slipway status -f demo.yaml

say "Go on with"
cat <<'NEXT'
  bin/slipway status -f demo.yaml                                    # look around
  bin/slipway ha test -f demo.yaml                                   # take each control plane out in turn, and measure
  bin/slipway lab up --name demo --control-planes 5 --workers 2 --out demo.yaml && \
    bin/slipway join -f demo.yaml --bundle dist/fast-bundle.tar           # add two control planes and a worker
  bin/slipway reset -f demo.yaml cp-2                                # take one out again
  xdg-open demo.svg                                                  # what init spent its time on
  bin/slipway lab down --name demo                                   # and take the lab down
NEXT
