#!/usr/bin/env bash
# Four lab hosts, one highly available cluster, from nothing; then a control plane dies, and the
# cluster is upgraded while a client writes.
set -euo pipefail
cd "$(dirname "$0")/.."
say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
run() { printf '\033[2m$ %s\033[0m\n' "$*"; "$@"; }

say "Four hosts: real systemd and sshd, on a network with no way out"
run bin/slipway lab up --name demo --control-planes 3 --workers 1 --out demo.yaml

# Nothing but the bundles that this user has built may reach the hosts: make signs them.
key=${XDG_STATE_HOME:-$HOME/.local/state}/slipway/bundle/signing.pub
sed -i "/^name:/a bundle: {trustedKeyFiles: [\"$key\"]}" demo.yaml

say "From bare hosts to a highly available cluster, all control planes at once"
run bin/slipway init -f demo.yaml --bundle dist/fast-bundle-v1.36.tar --yes --timeline demo.svg

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
watching=$!
sleep 2
run bin/slipway lab kill --name demo "$holder"
wait "$watching"
run bin/slipway status -f demo.yaml || true

say "Its power comes back, and so does it, by itself"
run bin/slipway lab start --name demo "$holder"
for ((i = 0; i < 60; i++)); do bin/slipway status -f demo.yaml >/dev/null 2>&1 && break; sleep 1; done
run bin/slipway status -f demo.yaml

say "A client on the worker writes through the endpoint, on one connection"
work=$(mktemp -d)
CGO_ENABLED=0 go build -o "$work/writer" ./e2e/writer
bin/slipway kubeconfig -f demo.yaml --via endpoint --out "$work/admin.conf"
onto_worker() { bin/slipway lab exec --name demo worker-1 -- sh -c "umask 077; cat > $2 && chmod 0700 $2" <"$1"; }
onto_worker "$work/writer" /usr/local/bin/writer
onto_worker "$work/admin.conf" /root/writer.conf
bin/slipway kubectl -f demo.yaml -- create namespace writes
mkfifo "$work/end" # the writer ends when this is closed
bin/slipway lab exec --name demo worker-1 -- /usr/local/bin/writer /root/writer.conf writes <"$work/end" >"$work/log" &
writing=$!
exec 9>"$work/end"

say "The next minor version, host by host, without the client losing anything"
run bin/slipway upgrade apply -f demo.yaml --bundle dist/fast-bundle.tar --yes
run bin/slipway kubectl -f demo.yaml -- get nodes -o wide

exec 9>&-
wait "$writing"
awk '$1 == "ok" { n++; if (last && $3 - last > gap) gap = $3 - last; last = $3 }
     $1 == "no" { refused++ }
     END { printf "%d writes acknowledged, %d not; the longest time without one: %.2f s\n", n, refused, gap / 1e9 }' "$work/log"
rm -rf "$work"

say "Go on with"
cat <<'NEXT'
  bin/slipway status -f demo.yaml                                    # look around
  bin/slipway upgrade rollback -f demo.yaml                          # and back to the version of before
  bin/slipway ha test -f demo.yaml                                   # take each control plane out in turn, and measure
  bin/slipway lab up --name demo --control-planes 5 --workers 2 --out demo.yaml && \
    bin/slipway join -f demo.yaml --bundle dist/fast-bundle.tar           # add two control planes and a worker
  bin/slipway reset -f demo.yaml cp-2                                # take one out again
  xdg-open demo.svg                                                  # what init spent its time on
  bin/slipway lab down --name demo                                   # and take the lab down
NEXT
