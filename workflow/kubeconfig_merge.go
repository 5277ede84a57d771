package workflow

import (
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/slipway-k8s/slipway/certs"
)

// The lists of a kubeconfig, and under what each entry of them has its content.
var kubeconfigLists = []struct{ list, content string }{
	{"clusters", "cluster"}, {"users", "user"}, {"contexts", "context"},
}

// superseded are settings of an entry that say in another way what Slipway says in its own:
// they would contradict it. All others stay as they are.
var superseded = map[string][]string{
	"clusters": {"certificate-authority", "insecure-skip-tls-verify", "tls-server-name"},
	"users":    {"client-certificate", "client-key"},
}

// takenError is an entry of a kubeconfig that has the name of ours and leads elsewhere.
type takenError struct{ list, name, why string }

func (e *takenError) Error() string {
	return fmt.Sprintf("in its %s there is another %s: %s", e.list, e.name, e.why)
}

// mergeKubeconfig puts a kubeconfig of one cluster, user and context, all by one name or
// another, into a text that may hold others: entries of the same names that are this
// cluster's (by its CA, PEM) are brought up to date, and those of another are a takenError,
// unless replace says that they may go. Whatever else there is stays: other entries,
// settings that Slipway does not know, comments, and the current context, if it is one.
func mergeKubeconfig(existing, ours, ca []byte, replace bool) ([]byte, error) {
	own, err := kubeconfigDocument(ours)
	if err != nil {
		return nil, err
	}
	document, err := kubeconfigDocument(existing)
	if err != nil {
		return nil, err
	}
	if document == nil {
		return append(commentLines(existing), ours...), nil
	}
	root := document.Content[0]
	taken := takenByOthers(root, own.Content[0], ca)
	for _, part := range kubeconfigLists {
		another, isTaken := taken[part.list]
		if isTaken && !replace {
			return nil, another
		}
		entry := field(own.Content[0], part.list).Content[0]
		if err := putEntry(root, part.list, part.content, entry, isTaken); err != nil {
			return nil, err
		}
	}
	if current := text(root, "current-context"); current == "" || find(root, "contexts", current) == nil {
		setField(root, "current-context", field(own.Content[0], "current-context"))
	}
	var out bytes.Buffer
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	encoder.CompactSeqIndent() // as kubectl writes it
	if err := encoder.Encode(document); err != nil {
		return nil, err
	}
	return out.Bytes(), encoder.Close()
}

// commentLines are the comments of a text that says nothing else. What else there is (null,
// ~, the marks where a document begins and ends) would be wrong before a kubeconfig.
func commentLines(text []byte) []byte {
	var kept []byte
	for line := range bytes.Lines(text) {
		if line = bytes.TrimSpace(line); bytes.HasPrefix(line, []byte("#")) {
			kept = append(append(kept, line...), '\n')
		}
	}
	return kept
}

// kubeconfigDocument parses a kubeconfig; nil where the text says nothing: it is empty, null,
// or comments alone.
func kubeconfigDocument(content []byte) (*yaml.Node, error) {
	decoder := yaml.NewDecoder(bytes.NewReader(content))
	var document, more yaml.Node
	if err := decoder.Decode(&document); errors.Is(err, io.EOF) {
		return nil, nil
	} else if err != nil {
		return nil, fmt.Errorf("it is not YAML: %w", err)
	}
	if err := decoder.Decode(&more); !errors.Is(err, io.EOF) {
		return nil, errors.New("it has more than one YAML document")
	}
	root := document.Content[0]
	if root.Kind == yaml.ScalarNode && root.Tag == "!!null" {
		return nil, nil
	}
	if root.Kind != yaml.MappingNode {
		return nil, errors.New("it is no kubeconfig")
	}
	if kind := text(root, "kind"); kind != "" && kind != "Config" {
		return nil, fmt.Errorf("it is no kubeconfig, but of kind %s", kind)
	}
	return &document, nil
}

// takenByOthers gives, by their lists, the entries by our names that are not ours: a cluster
// by its CA, a user by who signed its certificate, a context by not leading to that cluster.
func takenByOthers(root, own *yaml.Node, ca []byte) map[string]*takenError {
	taken := map[string]*takenError{}
	note := func(list, name, why string) { taken[list] = &takenError{list, name, why} }
	name := func(list string) string { return text(field(own, list).Content[0], "name") }
	if entry := find(root, "clusters", name("clusters")); entry != nil {
		have := decoded(field(entry, "cluster"), "certificate-authority-data")
		if !sameKey(have, ca) {
			note("clusters", name("clusters"), "its CA is another")
		}
	}
	if entry := find(root, "users", name("users")); entry != nil {
		if !signedBy(decoded(field(entry, "user"), "client-certificate-data"), ca) {
			note("users", name("users"), "its certificate is not of this cluster's CA")
		}
	}
	if entry := find(root, "contexts", name("contexts")); entry != nil {
		leads := text(field(entry, "context"), "cluster")
		if leads != name("clusters") || taken["clusters"] != nil {
			note("contexts", name("contexts"), "it leads to the cluster "+leads)
		}
	}
	return taken
}

func sameKey(a, b []byte) bool {
	first, err := certs.KeyDigest(a)
	if err != nil {
		return false
	}
	second, err := certs.KeyDigest(b)
	return err == nil && first == second
}

func signedBy(leaf, ca []byte) bool {
	var parsed [2]*x509.Certificate
	for i, data := range [][]byte{leaf, ca} {
		certificate, err := certs.Parse(data)
		if err != nil {
			return false
		}
		parsed[i] = certificate
	}
	return parsed[0].CheckSignatureFrom(parsed[1]) == nil
}

// putEntry puts an entry into a list: into the one of its name, or at the list's end. whole
// is for one that was another's: nothing of its content stays. A token or an exec beside our
// certificate would be used too, and would tell our API server another cluster's secret.
func putEntry(root *yaml.Node, list, content string, entry *yaml.Node, whole bool) error {
	sequence := field(root, list)
	if sequence == nil || sequence.Tag == "!!null" {
		sequence = &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"}
		setField(root, list, sequence)
	}
	if sequence.Kind != yaml.SequenceNode {
		return fmt.Errorf("its %s are no list", list)
	}
	if len(sequence.Content) == 0 {
		sequence.Style = 0 // an empty list is written as [], and what is in it now as lines
	}
	have := find(root, list, text(entry, "name"))
	if have == nil {
		sequence.Content = append(sequence.Content, entry)
		return nil
	}
	into := field(have, content)
	if whole || into == nil || into.Kind != yaml.MappingNode {
		setField(have, content, field(entry, content))
		return nil
	}
	for _, name := range superseded[list] {
		dropField(into, name)
	}
	from := field(entry, content).Content
	for i := 0; i < len(from); i += 2 {
		setField(into, from[i].Value, from[i+1])
	}
	return nil
}

// find gives the entry of a list by its name.
func find(root *yaml.Node, list, name string) *yaml.Node {
	sequence := field(root, list)
	if sequence == nil {
		return nil
	}
	for _, entry := range sequence.Content {
		if text(entry, "name") == name {
			return entry
		}
	}
	return nil
}

// field gives the value of a mapping's key; nil where there is none.
func field(mapping *yaml.Node, key string) *yaml.Node {
	if mapping == nil || mapping.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == key {
			return mapping.Content[i+1]
		}
	}
	return nil
}

func text(mapping *yaml.Node, key string) string {
	if value := field(mapping, key); value != nil && value.Kind == yaml.ScalarNode && value.Tag != "!!null" {
		return value.Value
	}
	return ""
}

func decoded(mapping *yaml.Node, key string) []byte {
	data, err := base64.StdEncoding.DecodeString(strings.TrimSpace(text(mapping, key)))
	if err != nil {
		return nil
	}
	return data
}

// setField sets a key, keeping the comments of a value that it replaces.
func setField(mapping *yaml.Node, key string, value *yaml.Node) {
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == key {
			was := mapping.Content[i+1]
			value.HeadComment, value.LineComment, value.FootComment = was.HeadComment, was.LineComment, was.FootComment
			mapping.Content[i+1] = value
			return
		}
	}
	mapping.Content = append(mapping.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: key}, value)
}

func dropField(mapping *yaml.Node, key string) {
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == key {
			mapping.Content = slices.Delete(mapping.Content, i, i+2)
			return
		}
	}
}
