package agent

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// leaveBody asks the agent to remove what it was put on the host with.
type leaveBody struct {
	Trees   []string `json:"trees,omitempty"`
	Folders []string `json:"folders,omitempty"`
}

// leave removes it. The running binary may be among it: a process goes on without its file.
// os.RemoveAll follows no link.
func (b leaveBody) leave() error {
	for _, path := range append(append([]string(nil), b.Trees...), b.Folders...) {
		if !filepath.IsAbs(path) || path == "/" || filepath.Clean(path) != path {
			return fmt.Errorf("remove the agent: %q is no path that it could lie at", path)
		}
	}
	var failed []error
	for _, path := range b.Trees {
		failed = append(failed, os.RemoveAll(path))
	}
	for _, path := range b.Folders {
		_ = os.Remove(path) // what others have something in by now stays
	}
	return errors.Join(failed...)
}
