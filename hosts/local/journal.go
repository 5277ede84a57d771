//go:build linux

package local

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
)

// journal is the list of what was done to the host, as JSON lines: for people and audit,
// never read back as state.
type journal struct {
	path   string
	holder string
	now    func() time.Time
	mu     sync.Mutex
}

// journalEntry is one line. It names the deed and the object, never content.
type journalEntry struct {
	ID      string `json:"id"` // ties an end to its begin
	Time    string `json:"time"`
	Mark    string `json:"mark"` // begin or end
	Who     string `json:"who"`
	Kind    string `json:"kind"`
	Deed    string `json:"deed"`
	Detail  string `json:"detail,omitempty"`
	Outcome string `json:"outcome,omitempty"`
	Error   string `json:"error,omitempty"`
	Seconds string `json:"seconds,omitempty"`

	started time.Time
}

func (j *journal) setHolder(holder string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.holder = holder
}

func (j *journal) begin(action hosts.Action, detail string) (journalEntry, error) {
	var id [6]byte
	_, _ = rand.Read(id[:]) // crypto/rand.Read never fails
	started := j.now()
	entry := journalEntry{
		ID: hex.EncodeToString(id[:]), Time: started.UTC().Format(time.RFC3339Nano), Mark: "begin",
		Kind: action.Kind(), Deed: describe(action), Detail: detail, started: started,
	}
	return entry, j.append(entry)
}

func (j *journal) end(entry journalEntry, err error) error {
	ended := j.now()
	entry.Mark, entry.Detail = "end", ""
	entry.Time = ended.UTC().Format(time.RFC3339Nano)
	entry.Seconds = fmt.Sprintf("%.3f", ended.Sub(entry.started).Seconds())
	entry.Outcome = string(hosts.Changed)
	if err != nil {
		entry.Outcome, entry.Error = "failed", err.Error()
	} else if entry.Kind == (hosts.Forget{}).Kind() {
		return nil // the journal went with the rest
	}
	return j.append(entry)
}

// append writes a line. On a full disk it goes missing: what frees space must not fail for
// want of space.
func (j *journal) append(entry journalEntry) error {
	err := j.write(entry)
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return nil
	}
	return err
}

func (j *journal) write(entry journalEntry) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	entry.Who = j.holder
	line, err := json.Marshal(entry)
	if err != nil {
		return fmt.Errorf("write the journal: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(j.path), 0o700); err != nil {
		return fmt.Errorf("write the journal: %w", err)
	}
	file, err := os.OpenFile(j.path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("write the journal: %w", err)
	}
	defer file.Close()
	if _, err := file.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("write the journal: %w", err)
	}
	return nil
}
