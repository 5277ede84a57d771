package workflow

import (
	"context"
	"fmt"
	"os"

	"github.com/aymanbagabas/go-udiff"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// FileChange is a file of a host that a plan makes other.
type FileChange struct {
	Host string `json:"host"`
	Path string `json:"path"`
	// Diff is what becomes other, in the unified format; empty where the file is secret.
	Diff   string `json:"diff,omitempty"`
	Secret bool   `json:"secret,omitempty"`
}

// fileChanges reads from the hosts the files that a plan writes, and holds them against what it would
// write. What a plan does only if other steps fail is left out.
func (s *Session) fileChanges(ctx context.Context, ready Prepared) ([]FileChange, error) {
	written := map[string]hosts.Query{} // by host
	for _, step := range ready.Plan.Steps {
		if file, shown := writes(step); shown && !file.Secret {
			query := written[step.Host]
			query.Contents = append(query.Contents, file.Path)
			written[step.Host] = query
		}
	}
	before := map[string]hosts.Facts{}
	for name, query := range written {
		facts, err := s.lookAt(ctx, name, s.hosts[name], query)
		if err != nil {
			return nil, fmt.Errorf("read the files of %s that would change: %w", name, err)
		}
		before[name] = facts
	}
	var changes []FileChange
	for _, step := range ready.Plan.Steps {
		file, shown := writes(step)
		if !shown {
			continue
		}
		change := FileChange{Host: step.Host, Path: file.Path, Secret: file.Secret}
		if !file.Secret {
			was, there := before[step.Host].Contents[file.Path]
			diff, err := unifiedDiff(file.Path, was, there, ready.Contents[file.Content])
			if err != nil {
				return nil, err
			}
			if change.Diff = diff; diff == "" {
				continue // its mode or owner changes, which the plan says
			}
		}
		changes = append(changes, change)
	}
	return changes, nil
}

// writes gives the file that a step writes; false where it writes none, or only if other steps fail.
// The note of the bundle in force is left out: what changes with it is told by component.
func writes(step plan.Step) (hosts.WriteFile, bool) {
	file, is := step.Action.(hosts.WriteFile)
	return file, is && !step.IsRescue() && file.Kept == "" && file.Path != manifests.BillFile
}

// contextLines are shown around each change.
const contextLines = 2

// unifiedDiff is the difference of a file's contents as diff -u writes it; empty where there is none.
func unifiedDiff(path string, was []byte, there bool, becomes []byte) (string, error) {
	from := path
	if !there {
		from = os.DevNull
	}
	text, err := udiff.ToUnified(from, path, string(was), udiff.Lines(string(was), string(becomes)), contextLines)
	if err != nil {
		return "", fmt.Errorf("compare %s: %w", path, err)
	}
	return text, nil
}
