package cluster

import (
	_ "embed"
	"slices"
)

//go:embed schema.json
var schemaFile []byte

// Schema is the JSON schema (draft 07) of Cluster files, for editors. It says what a
// file looks like; what must fit together, only Validate knows.
func Schema() []byte { return slices.Clone(schemaFile) }

//go:embed example.yaml
var example []byte

// Example is a Cluster file to start from: every default spelled out and explained.
func Example() []byte { return slices.Clone(example) }
