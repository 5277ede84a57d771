package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestGuard(t *testing.T) {
	const fresh, joining = "--initial-cluster-state=new", "--initial-cluster-state=existing"
	tests := []struct {
		name    string
		data    bool
		notes   map[string]string
		unasked bool
		adds    string
		refused string
		after   []string // the notes that are there once etcd has begun
	}{
		{name: "a first member of a cluster", notes: map[string]string{"begin": "new\n"}, adds: fresh, after: []string{"begun"}},
		{name: "one that joins", notes: map[string]string{"begin": "existing\n"}, adds: joining, after: []string{"begun"}},
		{name: "one that failed to begin", notes: map[string]string{"begin": "new\n"}, adds: fresh, after: []string{"begun"}},
		{name: "one with data", data: true, notes: map[string]string{"begun": ""}, after: []string{"begun"}},
		{name: "one of before there were notes", data: true, after: []string{"begun"}},
		{name: "one that was cut before its note", data: true, notes: map[string]string{"begin": "new\n"}, after: []string{"begun"}},
		{name: "one that lost its data", notes: map[string]string{"begun": "new\n"}, refused: "has begun before"},
		{name: "one that lost its data and is to begin anew", notes: map[string]string{"begun": "new\n", "begin": "existing\n"}, adds: joining, after: []string{"begun"}},
		{name: "one that lost data and notes", refused: "nothing on this host says"},
		{name: "a note that says nothing", notes: map[string]string{"begin": "perhaps"}, refused: "not a state to begin with"},
		{name: "a Pod that does not ask for it", unasked: true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			data, notes := t.TempDir(), t.TempDir()
			for name, content := range test.notes {
				write(t, filepath.Join(notes, name), content)
			}
			log := filepath.Join(data, "member", "wal")
			if test.data {
				write(t, filepath.Join(log, "0.wal"), "")
			}
			folder := notes
			if test.unasked {
				folder = ""
			}
			args := []string{"etcd", "--name=cp-1", "--data-dir=" + data, joining}
			got, err := guard(args, folder)
			if test.refused != "" {
				if err == nil || !strings.Contains(err.Error(), test.refused) || !strings.Contains(err.Error(), notes) && !strings.Contains(err.Error(), data) {
					t.Fatalf("guard: %v, want a refusal with %q", err, test.refused)
				}
				return
			}
			want := args
			if test.adds != "" {
				want = append(slices.Clone(args), test.adds)
			}
			if err != nil || !slices.Equal(got, want) {
				t.Fatalf("guard: %q, %v; want %q", got, err, want)
			}
			if test.adds != "" {
				if len(have(t, notes)) != len(test.notes) {
					t.Errorf("noted as begun before it has data: %q", have(t, notes))
				}
				write(t, filepath.Join(log, "0.wal"), "")
				watch(log, notes)
			}
			if have := have(t, notes); !slices.Equal(have, test.after) {
				t.Errorf("notes %q, want %q", have, test.after)
			}
		})
	}
}

func TestGuardFindsTheDataHoweverTheyAreNamed(t *testing.T) {
	for _, args := range [][]string{
		{"etcd", "--data-dir=/d"}, {"etcd", "-data-dir=/d"}, {"etcd", "--data-dir", "/d"}, {"etcd", "--name=data-dir=/x", "--data-dir=/d"},
	} {
		if got := logOf(args); got != "/d/member/wal" {
			t.Errorf("%q: %s", args, got)
		}
	}
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func have(t *testing.T, folder string) []string {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names
}
