package cluster

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
	proxy "k8s.io/kube-proxy/config/v1alpha1"
	kubelet "k8s.io/kubelet/config/v1beta1"
)

// maxFile bounds a Cluster file. A thousand hosts need a fifth of it.
const maxFile = 1 << 20

// documents parses a stream of YAML documents; empty ones are left out.
func documents(data []byte) ([]*yaml.Node, error) {
	if len(data) > maxFile {
		return nil, &SyntaxError{Line: 1, Column: 1, Message: "the file is larger than 1 MiB: this is no Cluster file"}
	}
	found, err := parse(data)
	if err != nil {
		return nil, locate(data, err)
	}
	return found, nil
}

func parse(data []byte) ([]*yaml.Node, error) {
	streamed, err := parseStream(data)
	var found []*yaml.Node
	for _, document := range streamed {
		found = append(found, document.Content[0])
	}
	return found, err
}

// parseStream gives the documents with what surrounds them: comments before and behind.
func parseStream(data []byte) ([]*yaml.Node, error) {
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var found []*yaml.Node
	for {
		var document yaml.Node
		err := decoder.Decode(&document)
		if errors.Is(err, io.EOF) {
			return found, nil
		}
		if err != nil {
			return nil, err
		}
		if len(document.Content) == 1 && document.Content[0].ShortTag() != "!!null" {
			found = append(found, &document)
		}
	}
}

// locate says where the trouble of an unreadable file is. The parser gives at best a
// line, often the one where the surrounding block began; so look for the shortest
// beginning of the file that fails in the same way: it ends where the trouble is.
func locate(data []byte, err error) *SyntaxError {
	message := syntaxMessage(err)
	fails := func(end int) bool {
		_, err := parse(data[:end])
		return err != nil && syntaxMessage(err) == message
	}
	low, high := 0, len(data) // data[:high] fails, data[:low] does not
	for high-low > 1 {
		middle := low + (high-low)/2
		if fails(middle) {
			high = middle
		} else {
			low = middle
		}
	}
	at := max(high-1, 0)
	start := bytes.LastIndexByte(data[:at], '\n') + 1
	line, _, _ := bytes.Cut(data[start:], []byte("\n"))
	return &SyntaxError{
		Line:    1 + bytes.Count(data[:start], []byte("\n")),
		Column:  1 + utf8.RuneCount(data[start:at]),
		Message: message,
		Text:    printable(line),
	}
}

// syntaxMessage is the parser's message without its own idea of the place.
func syntaxMessage(err error) string {
	message := strings.TrimPrefix(err.Error(), "yaml: ")
	if rest, found := strings.CutPrefix(message, "line "); found {
		if _, after, found := strings.Cut(rest, ": "); found {
			return after
		}
	}
	return message
}

// printable shortens a line and takes out what would upset a terminal.
func printable(line []byte) string {
	const longest = 160
	var b strings.Builder
	for i, r := range []rune(strings.TrimRight(string(line), "\r")) {
		if i == longest {
			b.WriteString("…")
			break
		}
		if r < ' ' && r != '\t' || r == 0x7f || r == utf8.RuneError {
			r = '?'
		}
		b.WriteRune(r)
	}
	return b.String()
}

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

// The further documents of a Cluster file.
const (
	KubeletAPIVersion   = "kubelet.config.k8s.io/v1beta1"
	KubeletKind         = "KubeletConfiguration"
	KubeProxyAPIVersion = "kubeproxy.config.k8s.io/v1alpha1"
	KubeProxyKind       = "KubeProxyConfiguration"
)

// component reads a further document: strictly, against its own API's types, and keeps
// it as it was written, so that what it leaves out stays Slipway's to say.
func (d *decoder) component(tree *node, c *Cluster) {
	version, kind := tree.textOf("apiVersion"), tree.textOf("kind")
	var checked any
	var keep *map[string]any
	want := ""
	switch kind {
	case KubeletKind:
		checked, keep, want = new(kubelet.KubeletConfiguration), &c.Kubelet, KubeletAPIVersion
	case KubeProxyKind:
		checked, keep, want = new(proxy.KubeProxyConfiguration), &c.KubeProxy, KubeProxyAPIVersion
	default:
		d.report(Problem{Line: tree.line, Message: "a further document is " + identity(version, kind),
			Fix: fmt.Sprintf("only %s and %s may follow the %s", KubeletKind, KubeProxyKind, Kind)})
		return
	}
	if version != want {
		d.report(Problem{Path: kind + ".apiVersion", Line: tree.line, Message: fmt.Sprintf("is %q", version), Fix: "write " + want})
		return
	}
	if *keep != nil {
		d.report(Problem{Path: kind, Line: tree.line, Message: "there are two documents of this kind", Fix: "keep one"})
		return
	}
	d.decode(tree, reflect.ValueOf(checked).Elem(), kind)
	*keep, _ = tree.plain().(map[string]any)
}
