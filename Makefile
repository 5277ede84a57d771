# Slipway: the commands of this repository. `make` alone lists them.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -s -w -X main.version=$(VERSION)
EMBEDDED := cmd/slipway/embedded/slipway-agent
export CGO_ENABLED ?= 0
# With -trimpath everywhere, what bin/slipway is built of is not compiled once more for the tests.
export GOFLAGS := $(filter-out -trimpath,$(shell go env GOFLAGS)) -trimpath

.PHONY: help
help: ## list the targets
	@grep -hE '^[a-z/-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

.PHONY: build
build: ## bin/slipway, one static binary, with slipway-agent for the hosts in it
	GOOS=linux go build -ldflags '$(LDFLAGS)' -o bin/slipway-agent ./cmd/slipway-agent
	gzip -9nc bin/slipway-agent > $(EMBEDDED).gz
	{ { sha256sum bin/slipway-agent 2>/dev/null || shasum -a 256 bin/slipway-agent; } | cut -d' ' -f1; wc -c < bin/slipway-agent; echo '$(VERSION)'; } > $(EMBEDDED).sum
	go build -ldflags '$(LDFLAGS)' -o bin/slipway ./cmd/slipway

.PHONY: setup
setup: ## what building the bundle and running the lab need of Debian's or Ubuntu's packages
	@e2e/setup.sh

.PHONY: bundle
bundle: build setup ## dist/bundle.tar, every component built from source
	bin/slipway bundle build --from source --sign --out dist/bundle.tar

.PHONY: fast-bundle
fast-bundle: build setup ## dist/fast-bundle.tar, the same packed fast: for tests and the demo
	bin/slipway bundle build --from source --fast --sign --out dist/fast-bundle.tar

dist/kubeadm: build setup ## kubeadm, for the tests and benchmarks that compare with it
	bin/slipway bundle build --component kubeadm --out $@

# Of another set of bundle/components, such as dist/fast-bundle-v1.36.tar: for tests of upgrades.
dist/fast-bundle-%.tar: build setup
	bin/slipway bundle build --from source --fast --sign --kubernetes $* --out $@

dist/kubeadm-%: build setup
	bin/slipway bundle build --component kubeadm --kubernetes $* --out $@

.PHONY: test
test: ## every test there is but the long ones, those on lab clusters included
	e2e/run.sh

.PHONY: test-long
test-long: ## the long campaigns: docs/testing.md says which, and when to run them
	e2e/run.sh long

.PHONY: test-vm
test-vm: ## the tests on virtual machines with kernels of their own: docs/testing.md
	e2e/run.sh vm

.PHONY: unit
unit: ## the tests that need neither root nor a lab
	e2e/run.sh unit

.PHONY: lint
lint: ## gofmt, vet and staticcheck
	@test -z "$$(gofmt -l . | tee /dev/stderr)"
	go vet ./...
	go vet -tags 'long vm' ./e2e
	for component in endpoint cni-await etcd; do go -C bundle/components/$$component vet ./...; done
	go -C bundle/components/addons vet -tags grpcnotrace ./flanneld
	go run honnef.co/go/tools/cmd/staticcheck@v0.8.2 ./...

.PHONY: check
check: lint unit ## what has to be right before a commit

.PHONY: demo
demo: fast-bundle dist/fast-bundle-v1.36.tar ## a highly available cluster on this machine, from nothing to an upgrade
	e2e/demo.sh

.PHONY: pictures
pictures: fast-bundle ## docs/pictures and docs/tui.cast, recorded on a lab
	go build -o bin/record ./e2e/record
	e2e/pictures.sh tui
	e2e/pictures.sh preflight

.PHONY: bench
bench: bundle dist/kubeadm dist/fast-bundle-v1.36.tar dist/kubeadm-v1.36 dist/fast-bundle-v1.36.1.tar dist/kubeadm-v1.36.1 ## the figures of docs/benchmarks.md, side by side with kubeadm
	CGO_ENABLED=0 go test -tags bench -count=1 -timeout 120m -v ./e2e/bench

.PHONY: clean
clean: ## what the other targets made here
	rm -rf bin dist $(EMBEDDED).gz $(EMBEDDED).sum
