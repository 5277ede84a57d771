package api

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// fixSnapshot is what to do where there is no snapshot.
const fixSnapshot = "no host was changed; remove the cause and run the same command again; to go on without a snapshot: --ignore-checks EtcdSnapshot"

// snapshotSilence is how long nothing of a snapshot may come.
const snapshotSilence = 30 * time.Second

// snapshotEtcd takes a snapshot to the operator's machine, has the member's host prove that it
// restores, and only then gives it the name of one.
func (c *Client) snapshotEtcd(ctx context.Context, action plan.SnapshotEtcd, progress func(hosts.Progress)) (hosts.Outcome, error) {
	op := "take a snapshot of etcd from " + action.From
	host := c.hosts[action.From]
	switch {
	case c.etcd == nil || host == nil:
		return hosts.Outcome{}, fmt.Errorf("%s: %w", op, errNoEtcd)
	case c.snapshots == nil:
		return hosts.Outcome{}, fmt.Errorf("%s: no place is known to keep it", op)
	}
	done, err := c.keepSnapshot(ctx, action, host, progress)
	switch {
	case err == nil:
		return done, nil
	case ctx.Err() != nil:
		return hosts.Outcome{}, fmt.Errorf("%s: %w", op, err)
	}
	return hosts.Outcome{}, &hosts.Error{Kind: hosts.KindBroken, Op: op, Err: err, Fix: fixSnapshot}
}

func (c *Client) keepSnapshot(ctx context.Context, action plan.SnapshotEtcd, host hosts.Host, progress func(hosts.Progress)) (hosts.Outcome, error) {
	member := c.etcd.on(action.From)
	status, err := member.status(ctx)
	if err != nil {
		return hosts.Outcome{}, err
	}
	file, err := c.snapshots.Begin(status.GetDbSize())
	if err != nil {
		return hosts.Outcome{}, err
	}
	defer file.Discard()
	if err := member.snapshot(ctx, file, status.GetDbSize(), progress); err != nil {
		return hosts.Outcome{}, err
	}
	blob, err := file.Blob()
	if err != nil {
		return hosts.Outcome{}, err
	}
	about, err := prove(ctx, host, blob, action.Tool, progress)
	if err != nil {
		return hosts.Outcome{}, fmt.Errorf("prove on %s that it restores: %w", action.From, err)
	}
	path, err := file.Keep(about, action.Version)
	if err != nil {
		return hosts.Outcome{}, err
	}
	return hosts.Outcome{Result: hosts.Changed, Detail: fmt.Sprintf("%s: revision %d, %s, %s, SHA-256 %s; it restores",
		path, about.Revision, hosts.Count(about.Keys, "key"), hosts.Size(blob.Size), blob.SHA256)}, nil
}

// prove has a host restore a snapshot, and forget it again.
func prove(ctx context.Context, host hosts.Host, blob hosts.Blob, tool string, progress func(hosts.Progress)) (hosts.Snapshot, error) {
	tell := func(p hosts.Progress) { p.Note = "it is there; bringing it to the host that proves it"; progress(p) }
	if err := host.Upload(ctx, []hosts.Blob{blob}, tell); err != nil {
		return hosts.Snapshot{}, err
	}
	done, err := host.Do(ctx, hosts.ProveSnapshot{Content: blob.Ref, Size: blob.Size, Tool: tool}, progress)
	if err == nil && done.Snapshot == nil {
		err = errors.New("the host does not say what is in it")
	}
	if err != nil {
		return hosts.Snapshot{}, err
	}
	return *done.Snapshot, nil
}

// snapshot writes the member's data as of now, and sees that they have come whole.
func (m *memberClient) snapshot(ctx context.Context, to io.Writer, size int64, progress func(hosts.Progress)) error {
	within, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	silence := time.AfterFunc(snapshotSilence, func() { cancel(fmt.Errorf("%s: nothing more of it came for %s", m.name, snapshotSilence)) })
	defer silence.Stop()
	client, err := m.open()
	if err != nil {
		return fmt.Errorf("%s: %w", m.name, err)
	}
	copied := &checksummed{to: to, sum: sha256.New(), written: func(n int64) {
		silence.Reset(snapshotSilence)
		progress(hosts.Progress{Done: n, Total: max(n, size), Note: "taking it"})
	}}
	stream, err := client.Snapshot(within)
	if err == nil {
		_, err = io.Copy(copied, stream)
		_ = stream.Close()
	}
	switch {
	case within.Err() != nil:
		m.drop(client)
		return context.Cause(within)
	case err != nil:
		m.drop(client)
		return fmt.Errorf("%s: %w", m.name, err)
	}
	return copied.whole()
}

// checksummed passes on what is written. etcd ends a snapshot with the SHA-256 of all before it.
type checksummed struct {
	to      io.Writer
	sum     hash.Hash
	end     []byte // what may be the sum
	size    int64
	written func(size int64)
}

func (c *checksummed) Write(p []byte) (int, error) {
	n, err := c.to.Write(p)
	c.size += int64(n)
	c.end = append(c.end, p[:n]...)
	if over := len(c.end) - sha256.Size; over > 0 {
		c.sum.Write(c.end[:over]) // a hash never fails
		c.end = c.end[:copy(c.end, c.end[over:])]
	}
	c.written(c.size)
	return n, err
}

func (c *checksummed) whole() error {
	if c.size <= sha256.Size || !bytes.Equal(c.end, c.sum.Sum(nil)) {
		return fmt.Errorf("what came of it, %s, does not end with its own SHA-256: it was cut off or damaged on its way", hosts.Size(c.size))
	}
	return nil
}
