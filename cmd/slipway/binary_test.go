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
		"embedded/slipway-agent.sum": {Data: []byte("abc123  9\n")},
		"embedded/slipway-agent.gz":  {Data: packed.Bytes()},
	})
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

// TestASlipwayWithoutAnAgentSaysSo: go build alone makes one.
func TestASlipwayWithoutAnAgentSaysSo(t *testing.T) {
	if _, err := embeddedAgent(fstest.MapFS{"embedded/README": {}}); !errors.Is(err, errNoAgent) {
		t.Errorf("it says %v", err)
	}
	if _, err := embeddedAgent(fstest.MapFS{"embedded/slipway-agent.sum": {Data: []byte("what?")}}); err == nil || errors.Is(err, errNoAgent) {
		t.Errorf("of a broken one it says %v", err)
	}
}
