#!/usr/bin/env bash
# The tests: all but the long ones, with the word unit those that need no lab, with the word
# long the long ones, with the word vm those on virtual machines. Elsewhere than on Linux as root the end-to-end tests are left out.
set -euo pipefail
cd "$(dirname "$0")/.."
which=${1:-all}

# The tests that need neither root nor a lab, the parts of the bundle that are ours among them.
# The first command that fails ends it.
unit() {
  # The room phases only plans and begins no goroutine: the race detector would see nothing there, and make its
  # simulator take three times as long. What runs beside others is in the rooms that use it.
  go test "$@" -timeout 20m ./phases
  CGO_ENABLED=1 go test "$@" -race -timeout 30m $(go list ./... | grep -v -e '/e2e$' -e '/phases$')
  for component in endpoint cni-await; do
    CGO_ENABLED=1 go -C "bundle/components/$component" test "$@" -race ./...
  done
  go -C bundle/components/etcd test "$@" ./...
  go -C bundle/components/addons test "$@" -tags grpcnotrace ./flanneld
}

# What the tests say, as JSON.
tests() {
  if [ "$which" = long ]; then
    go test -json -tags long -run '^TestUpgradesOfGeneratedClusters$' -count=1 -timeout 1h ./phases
    go test -json -tags long -run '^TestLong' -count=1 -timeout 3h ./e2e
    return
  fi
  if [ "$which" = vm ]; then
    go test -json -tags vm -run '^TestVM' -count=1 -timeout 5h ./e2e
    return
  fi
  unit -json
  go test -json -count=1 -timeout 60m ./e2e
}

if [ "$which" = unit ]; then
  unit
  exit
fi
[ "$which" != all ] || make lint
if [ "$(uname -s)" != Linux ] || [ "$(id -u)" -ne 0 ]; then
  echo "test: NOT RUN: the end-to-end tests need Linux and root (lab hosts are made of namespaces)"
  [ "$which" = all ] || exit 0
  make build
  unit
  exit
fi
[ "$which" != vm ] || e2e/setup.sh vm
make build fast-bundle dist/fast-bundle-v1.36.tar dist/kubeadm
mkdir -p bin
go build -o bin/report ./e2e/report
tests | bin/report -live "$(go list ./e2e)"
