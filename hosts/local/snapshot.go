//go:build linux

package local

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
)

const (
	// proofFolder is where a snapshot is restored to, to be removed again.
	proofFolder = "snapshot-proof"
	// proofTime bounds each of etcdutl's two looks.
	proofTime = 9 * time.Minute
)

// proveSnapshot restores a snapshot, and removes all of it again: it holds the cluster's secrets.
func (h *Host) proveSnapshot(ctx context.Context, a hosts.ProveSnapshot, report func(hosts.Progress)) (outcome hosts.Outcome, err error) {
	if !contentRef.MatchString(a.Content) || !h.store.has(a.Content) {
		return hosts.Outcome{}, fmt.Errorf("the snapshot %s is not in the host's store: it must be uploaded first", a.Content)
	}
	defer h.paths.lock(h.state(proofFolder))()
	h.store.using.RLock()
	defer h.store.using.RUnlock()
	defer func() { err = errors.Join(err, removeFile(h.store.blobPath(a.Content))) }()
	var found hosts.Snapshot
	outcome, err = h.apply(ctx, change{
		action: a,
		act: func(ctx context.Context) (err error) {
			found, err = h.restoreToProve(ctx, a, report)
			return errors.Join(err, removeAll(context.WithoutCancel(ctx), h.state(proofFolder), func() {}))
		},
	})
	if err == nil {
		outcome.Snapshot = &found
	}
	return outcome, err
}

// restoreToProve looks through a snapshot, as etcdutl does that says what is in it, and restores it.
func (h *Host) restoreToProve(ctx context.Context, a hosts.ProveSnapshot, report func(hosts.Progress)) (found hosts.Snapshot, err error) {
	folder, file := h.state(proofFolder), h.store.blobPath(a.Content)
	if err := removeAll(ctx, folder, counting(report)); err != nil { // what a run that was cut has left
		return found, err
	}
	if err := os.Mkdir(folder, modeState); err != nil {
		return found, err
	}
	if free, _, err := space(folder); err == nil && free < a.Size+hosts.EtcdLogRoom {
		return found, &hosts.Error{
			Kind: hosts.KindDiskFull, Err: fmt.Errorf("it takes %s and %s are free below %s", hosts.Size(a.Size+hosts.EtcdLogRoom), hosts.Size(free), h.stateDir),
			Fix: "free some space there and run the same command again",
		}
	}
	said, err := h.etcdutl(ctx, a.Tool, "snapshot", "status", file, "--write-out", "json")
	if err != nil {
		return found, err
	}
	if err := json.Unmarshal([]byte(said), &found); err != nil || found.Revision == 0 {
		return found, fmt.Errorf("etcdutl snapshot status does not say what is in it: %q", hosts.CleanLine(said))
	}
	report(hosts.Progress{Done: 1, Total: 2, Note: "it is whole, and is being restored"})
	_, err = h.etcdutl(ctx, a.Tool, "snapshot", "restore", file, "--data-dir", filepath.Join(folder, "etcd"))
	return found, err
}

// etcdutl runs the tool, and gives what it wrote; where it fails, an error with its last line.
func (h *Host) etcdutl(ctx context.Context, tool string, args ...string) (string, error) {
	output, err := execute(ctx, hosts.RunCommand{Argv: append([]string{h.at(tool)}, args...), Timeout: int(proofTime / time.Second)})
	if err != nil {
		return "", fmt.Errorf("etcdutl %s: %w", args[1], err)
	}
	if output.Code == 0 {
		return output.Stdout, nil
	}
	why := output.Cause
	if lines := strings.Split(strings.TrimSpace(output.Stderr), "\n"); why == "" {
		why = hosts.CleanLine(lines[len(lines)-1])
	}
	return "", fmt.Errorf("etcdutl snapshot %s: %s (exit code %d)", args[1], why, output.Code)
}
