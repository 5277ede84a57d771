package cluster

import _ "embed"

//go:embed example.yaml
var example []byte

// Example is a Cluster file to start from: every default spelled out and explained.
func Example() []byte { return append([]byte(nil), example...) }
