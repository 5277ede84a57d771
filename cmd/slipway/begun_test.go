package main

import (
	"maps"
	"testing"
)

// TestWhatTheStateFolderKnowsOfEtcd: a host that was seen in the cluster had its member begin,
// also where the folder is from before that was noted.
func TestWhatTheStateFolderKnowsOfEtcd(t *testing.T) {
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
	begun := s.begun()
	if !begun["cp-1"] || !begun["cp-2"] || begun["cp-3"] {
		t.Errorf("let begin: %v, want cp-1 and cp-2", begun)
	}
	if seen := s.seenJoined(); !maps.Equal(seen, map[string]bool{"cp-2": true}) {
		t.Errorf("seen in the cluster: %v, want cp-2", seen)
	}
}
