module github.com/slipway-k8s/slipway/bundle/components/cni-install

go 1.26.0
