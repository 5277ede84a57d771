package workflow

import (
	"maps"
	"testing"
)

// TestWhatTheStateFolderKnows of hosts is what plans are made from.
func TestWhatTheStateFolderKnows(t *testing.T) {
	s := scene{kept: "try/A", records: all("try/A")}.session(t)
	if err := s.findKeys(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.keys.folder.MarkBegun("cp-1"); err != nil {
		t.Fatal(err)
	}
	if err := s.keys.folder.MarkJoined("cp-2"); err != nil {
		t.Fatal(err)
	}
	in, err := s.input()
	if err != nil {
		t.Fatal(err)
	}
	if want := map[string]bool{"cp-1": true}; !maps.Equal(in.Begun, want) {
		t.Errorf("let begin: %v, want %v", in.Begun, want)
	}
	if want := map[string]bool{"cp-2": true}; !maps.Equal(in.JoinedBefore, want) {
		t.Errorf("seen in the cluster: %v, want %v", in.JoinedBefore, want)
	}
}
