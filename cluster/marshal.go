package cluster

import (
	"bytes"
	"encoding/json"
	"fmt"

	"go.yaml.in/yaml/v3"
)

// Marshal writes a Cluster as a file that Load reads: its fields in their order, then
// the further documents.
func Marshal(c *Cluster) ([]byte, error) {
	var out bytes.Buffer
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	for _, document := range c.Documents() {
		if err := encodeDocument(encoder, document); err != nil {
			return nil, fmt.Errorf("write the cluster file: %w", err)
		}
	}
	if err := encoder.Close(); err != nil {
		return nil, fmt.Errorf("write the cluster file: %w", err)
	}
	return out.Bytes(), nil
}

// Documents are the file's documents in order: the Cluster, then what follows it.
func (c *Cluster) Documents() []any {
	documents := []any{c}
	if c.Kubelet != nil {
		documents = append(documents, c.Kubelet)
	}
	if c.KubeProxy != nil {
		documents = append(documents, c.KubeProxy)
	}
	return documents
}

// encodeDocument goes by way of JSON, which knows the fields' names and keeps their
// order, and is YAML already but for its looks.
func encodeDocument(encoder *yaml.Encoder, document any) error {
	text, err := json.Marshal(document)
	if err != nil {
		return err
	}
	var tree yaml.Node
	if err := yaml.Unmarshal(text, &tree); err != nil {
		return err
	}
	block(&tree)
	return encoder.Encode(&tree)
}

// block takes JSON's braces and quotes off; the encoder quotes what needs it.
func block(n *yaml.Node) {
	if len(n.Content) > 0 || n.Kind == yaml.ScalarNode {
		n.Style = 0
	}
	for _, content := range n.Content {
		block(content)
	}
}
