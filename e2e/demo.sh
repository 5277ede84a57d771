#!/usr/bin/env bash
# Three lab hosts, one cluster, from nothing; and what to do next.
set -euo pipefail
cd "$(dirname "$0")/.."
say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
run() { printf '\033[2m$ %s\033[0m\n' "$*"; "$@"; }

say "Three hosts: real systemd and sshd, on a network with no way out"
run bin/slipway lab up --name demo --control-planes 1 --workers 2 --out demo.yaml

say "From bare hosts to a cluster"
run bin/slipway init -f demo.yaml --bundle dist/bundle.tar --yes

say "Nodes and Pods, all Ready"
run bin/slipway kubectl -f demo.yaml -- wait --for=condition=Ready pods --all --all-namespaces --timeout=120s >/dev/null
run bin/slipway kubectl -f demo.yaml -- get nodes -o wide
run bin/slipway kubectl -f demo.yaml -- get pods -A -o wide

say "Go on with"
cat <<'NEXT'
  bin/slipway status -f demo.yaml                                    # look around
  bin/slipway lab up --name demo --workers 3 --out demo.yaml && \
    bin/slipway join -f demo.yaml --bundle dist/bundle.tar           # add a host
  bin/slipway reset -f demo.yaml worker-1                            # take one out again
  bin/slipway lab down --name demo                                   # and take the lab down
NEXT
