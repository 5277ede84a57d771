module github.com/slipway-k8s/slipway/bundle/components/pause

go 1.26.0
