module github.com/slipway-k8s/slipway/bundle/components/endpoint

go 1.26.0
