package main

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"testing"
	"testing/fstest"
)

func TestTheEmbeddedAgentIsWhatWasBuilt(t *testing.T) {
	var packed bytes.Buffer
	zip := gzip.NewWriter(&packed)
	_, _ = zip.Write([]byte("the agent"))
	if err := zip.Close(); err != nil {
		t.Fatal(err)
	}
	agent, err := embeddedAgent(fstest.MapFS{
		"embedded/slipway-agent.sum": {Data: []byte("abc123\n9\nv1\n")},
		"embedded/slipway-agent.gz":  {Data: packed.Bytes()},
	}, "v1")
	if err != nil || agent.SHA256 != "abc123" || agent.Size != 9 {
		t.Fatalf("%+v, %v", agent, err)
	}
	for range 2 { // one host after another is sent it
		content, err := agent.Open()
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(content); err != nil || string(got) != "the agent" {
			t.Errorf("it holds %q, %v", got, err)
		}
	}
}

// TestASlipwayWithoutItsAgentSaysSo: go build alone makes one without, or with that of an earlier build.
func TestASlipwayWithoutItsAgentSaysSo(t *testing.T) {
	for _, files := range []fstest.MapFS{
		{"embedded/README": {}},
		{"embedded/slipway-agent.sum": {Data: []byte("abc123\n9\nv0\n")}},
	} {
		if _, err := embeddedAgent(files, "v1"); !errors.Is(err, errNoAgent) {
			t.Errorf("it says %v", err)
		}
	}
	if _, err := embeddedAgent(fstest.MapFS{"embedded/slipway-agent.sum": {Data: []byte("what?")}}, "v1"); err == nil || errors.Is(err, errNoAgent) {
		t.Errorf("of a broken one it says %v", err)
	}
}
