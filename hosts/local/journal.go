//go:build linux

package local

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/slipway-k8s/slipway/hosts"
)

const (
	// journalSize is how large the journal grows before it becomes the older one.
	journalSize = 8 << 20
	// olderJournal is what the older one's name ends with.
	olderJournal = ".1"
)

// journal is the list of what was done to the host, as JSON lines: for people and audit,
// never read back as state.
type journal struct {
	path   string
	holder string
	plan   string // the digest of the plan that the lease was taken for
	now    func() time.Time
	mu     sync.Mutex
}

// journalEntry is one line. It names the deed and the object, never content.
type journalEntry struct {
	ID      string `json:"id"` // ties an end to its begin
	Time    string `json:"time"`
	Mark    string `json:"mark"` // begin or end
	Who     string `json:"who"`
	Plan    string `json:"plan,omitempty"`
	Kind    string `json:"kind"`
	Deed    string `json:"deed"`
	Detail  string `json:"detail,omitempty"`
	Outcome string `json:"outcome,omitempty"`
	Error   string `json:"error,omitempty"`
	Seconds string `json:"seconds,omitempty"`

	started time.Time
}

// setHolder says for whom, and for which plan, what follows is done.
func (j *journal) setHolder(holder, plan string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.holder, j.plan = holder, plan
}

func (j *journal) begin(action hosts.Action, detail string) (journalEntry, error) {
	var id [6]byte
	_, _ = rand.Read(id[:]) // crypto/rand.Read never fails
	started := j.now()
	description := hosts.Describe(action)
	entry := journalEntry{
		ID: hex.EncodeToString(id[:]), Time: started.UTC().Format(time.RFC3339Nano), Mark: "begin",
		Kind: description.Kind, Deed: description.Deed, Detail: detail, started: started,
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
	} else if entry.Kind == hosts.Describe(hosts.Forget{}).Kind {
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
	entry.Who, entry.Plan = j.holder, j.plan
	line, err := json.Marshal(entry)
	if err != nil {
		return fmt.Errorf("write the journal: %w", err)
	}
	if err := makeParents(j.path, modeState); err != nil {
		return fmt.Errorf("write the journal: %w", err)
	}
	file, err := j.open(int64(len(line)) + 1)
	if err != nil {
		return fmt.Errorf("write the journal: %w", err)
	}
	defer file.Close()
	if _, err := file.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("write the journal: %w", err)
	}
	return nil
}

// open opens the journal for one more line, locked until it is closed. One that the line
// would make too large becomes the older one, in place of that.
func (j *journal) open(more int64) (*os.File, error) {
	for {
		file, err := os.OpenFile(j.path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
		if err != nil {
			return nil, err
		}
		full, err := j.lock(file, more)
		if err == nil && !full {
			return file, nil
		}
		file.Close()
		if err != nil {
			return nil, err
		}
	}
}

// lock locks the journal's file and makes room in its place; full tells to open it anew.
func (j *journal) lock(file *os.File, more int64) (full bool, err error) {
	for {
		err = unix.Flock(int(file.Fd()), unix.LOCK_EX)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	if err != nil {
		return false, err
	}
	if !sameFile(file, j.path) {
		return true, nil // another agent was faster
	}
	info, err := file.Stat()
	if err != nil || info.Size() == 0 || info.Size()+more <= journalSize {
		return false, err
	}
	return true, os.Rename(j.path, j.path+olderJournal)
}
