#!/usr/bin/env bash
# Every test there is. Elsewhere than on Linux as root, all but the end-to-end tests.
set -euo pipefail
cd "$(dirname "$0")/.."

make lint
make build
if [ "$(uname -s)" != Linux ] || [ "$(id -u)" -ne 0 ]; then
  echo "test: NOT RUN: the end-to-end tests need Linux and root (lab hosts are made of namespaces)"
  make unit
  exit
fi

make bundle dist/kubeadm
CGO_ENABLED=1 go test -race $(go list ./... | grep -v /e2e)
for component in endpoint cni-await; do
  CGO_ENABLED=1 go -C "bundle/components/$component" test -race ./...
done
go -C bundle/components/etcd test ./...
go test -count=1 -timeout 75m -v ./e2e
