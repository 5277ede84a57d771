#!/usr/bin/env bash
# Every test there is. Elsewhere than on Linux as root, all but the end-to-end tests.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ "$(uname -s)" != Linux ] || [ "$(id -u)" -ne 0 ]; then
  echo "test: NOT RUN: the end-to-end tests need Linux and root (lab hosts are made of namespaces)"
  make lint build unit
  exit
fi

# What the tests say, as JSON. The first command that fails ends it.
tests() {
  CGO_ENABLED=1 go test -json -race $(go list ./... | grep -v '/e2e$')
  for component in endpoint cni-await; do
    CGO_ENABLED=1 go -C "bundle/components/$component" test -json -race ./...
  done
  go -C bundle/components/etcd test -json ./...
  go -C bundle/components/addons test -json -tags grpcnotrace ./flanneld
  go test -json -count=1 -timeout 75m ./e2e
}

make lint
make build fast-bundle dist/kubeadm
go build -o bin/report ./e2e/report
tests | bin/report -live "$(go list ./e2e)"
