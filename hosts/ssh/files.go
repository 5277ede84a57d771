package ssh

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pkg/sftp"

	"github.com/slipway-k8s/slipway/hosts"
)

const (
	// packetSize is what OpenSSH's SFTP server takes in one write, with room for the
	// header; others are given what every server has to take.
	packetSize       = 255 << 10
	packetSizeOthers = 32 << 10
	// packetsUnderWay times the packet is what is sent ahead of the host's word.
	packetsUnderWay = 16
)

// files is the SFTP session of a connection, opened when first needed.
type files struct {
	connection *connection
	mutex      sync.Mutex
	client     *sftp.Client
}

func (f *files) open() (*sftp.Client, error) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	if f.client != nil {
		return f.client, nil
	}
	size := packetSizeOthers
	if strings.Contains(string(f.connection.ServerVersion()), "OpenSSH") {
		size = packetSize
	}
	client, err := insist(func() (*sftp.Client, error) {
		return sftp.NewClient(f.connection.Client,
			sftp.MaxPacketUnchecked(size), sftp.UseConcurrentWrites(true), sftp.MaxConcurrentRequestsPerFile(packetsUnderWay))
	})
	var known *hosts.Error
	if errors.As(err, &known) {
		return nil, err
	}
	if err != nil && !f.connection.lost(err) {
		return nil, &hosts.Error{
			Kind: hosts.KindBroken, Op: "start SFTP", Err: err,
			Fix: "see that /etc/ssh/sshd_config has the line: Subsystem sftp internal-sftp",
		}
	}
	if err != nil {
		return nil, fmt.Errorf("start SFTP: %w", err)
	}
	f.client = client
	return client, nil
}

// Close ends the SFTP session.
func (f *files) Close() error {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	if f.client == nil {
		return nil
	}
	return f.client.Close()
}

// makePrivate makes a directory that only its owner may enter, and those above it. It
// answers those that it made, the outermost first.
func makePrivate(client *sftp.Client, dir string) (made []string, err error) {
	info, err := client.Stat(dir)
	if err == nil {
		if !info.IsDir() {
			return nil, fmt.Errorf("%s is not a directory", dir)
		}
		return nil, nil
	}
	if !errors.Is(err, fs.ErrNotExist) || dir == "/" || dir == "." {
		return nil, fmt.Errorf("make %s: %w", dir, err)
	}
	if made, err = makePrivate(client, path.Dir(dir)); err != nil {
		return made, err
	}
	if err := client.Mkdir(dir); err != nil {
		if info, statErr := client.Stat(dir); statErr == nil && info.IsDir() {
			return made, nil // somebody else was faster
		}
		return made, fmt.Errorf("make %s: %w", dir, err)
	}
	made = append(made, dir)
	if err := client.Chmod(dir, 0o700); err != nil {
		return made, fmt.Errorf("make %s: %w", dir, err)
	}
	return made, nil
}

// sendFile writes content to a file from an offset on.
func sendFile(ctx context.Context, client *sftp.Client, name string, flags int, offset int64, content io.Reader) error {
	file, err := client.OpenFile(name, os.O_WRONLY|os.O_CREATE|flags)
	if err != nil {
		return err
	}
	defer file.Close()
	if _, err := file.Seek(offset, io.SeekStart); err != nil {
		return err
	}
	if _, err := file.ReadFromWithConcurrency(contextReader{ctx, content}, packetsUnderWay); err != nil {
		return err
	}
	if _, can := client.HasExtension("fsync@openssh.com"); can {
		if err := file.Sync(); err != nil {
			return err
		}
	}
	return file.Close()
}

// room fails where a directory's file system has less than need bytes free. A server
// that cannot tell is believed to have enough.
func room(client *sftp.Client, dir string, need int64) error {
	stat, err := client.StatVFS(dir)
	if err != nil {
		return nil //nolint:nilerr // as said
	}
	free := int64(stat.Bavail * stat.Frsize)
	if free >= need {
		return nil
	}
	return &hosts.Error{
		Kind: hosts.KindDiskFull, Op: "send to " + dir,
		Err: fmt.Errorf("%s are free there, %s are needed", mib(free), mib(need)),
		Fix: "free some space below " + dir,
	}
}

func mib(bytes int64) string { return fmt.Sprintf("%.1f MiB", float64(bytes)/(1<<20)) }

// deploy puts the agent's binary on the host, under its digest.
func (h *host) deploy(ctx context.Context, binary Binary) error {
	client, err := h.files.open()
	if err != nil {
		return err
	}
	agents := path.Join(h.place.directory, "agent")
	dir := path.Dir(h.place.binary(binary))
	made, err := makePrivate(client, dir)
	h.made = append(h.made, made...)
	if err != nil {
		return err
	}
	if err := room(client, dir, binary.Size); err != nil {
		return err
	}
	temporary, final := path.Join(dir, "."+random()), h.place.binary(binary)
	if err := h.sendBinary(ctx, client, temporary, binary); err != nil {
		if full := room(client, dir, binary.Size); full != nil {
			err = full
		}
		return errors.Join(err, ignoreAbsent(client.Remove(temporary)))
	}
	if err := client.PosixRename(temporary, final); err != nil {
		return errors.Join(fmt.Errorf("put the agent into %s: %w", final, err), client.Remove(temporary))
	}
	h.put = final
	h.removeOlder(client, agents, binary.SHA256)
	return nil
}

// sendBinary writes the binary beside its place and has the host verify it.
func (h *host) sendBinary(ctx context.Context, client *sftp.Client, name string, binary Binary) error {
	content, err := binary.Open()
	if err != nil {
		return fmt.Errorf("send the agent: %w", err)
	}
	defer content.Close()
	if err := sendFile(ctx, client, name, os.O_EXCL, 0, content); err != nil {
		return fmt.Errorf("send the agent to %s: %w", name, err)
	}
	if err := client.Chmod(name, 0o700); err != nil {
		return fmt.Errorf("send the agent to %s: %w", name, err)
	}
	if intact, err := h.verify(ctx, name, binary); err != nil || !intact {
		return errors.Join(fmt.Errorf("the agent did not arrive at %s as it was sent", name), err)
	}
	return nil
}

// verify has the host compute the digest of a binary that lies on it.
func (h *host) verify(ctx context.Context, name string, binary Binary) (bool, error) {
	said, err := h.connection.run(ctx, "sha256sum "+quote(name))
	if err != nil {
		return false, fmt.Errorf("verify %s: %w", name, err)
	}
	return strings.Contains(said, binary.SHA256+" "), nil // a login shell may say more
}

// keepOthers is how long an agent of another version is left alone: somebody may just be
// about to start it.
const keepOthers = 10 * time.Minute

// removeOlder removes the agents of other versions. What cannot be removed stays: it is
// in nobody's way.
func (h *host) removeOlder(client *sftp.Client, agents, current string) {
	entries, err := client.ReadDir(agents)
	if err != nil {
		return
	}
	for _, entry := range entries {
		if entry.Name() != current && time.Since(entry.ModTime()) > keepOthers {
			_ = client.RemoveAll(path.Join(agents, entry.Name()))
		}
	}
}

// tidy removes what Connect and Upload put on the host.
func (h *host) tidy() error {
	client, err := h.files.open()
	if err != nil {
		return err
	}
	dir := h.place.directory
	for _, name := range []string{"agent", "inbox"} {
		if err := ignoreAbsent(client.RemoveAll(path.Join(dir, name))); err != nil {
			return fmt.Errorf("remove %s: %w", path.Join(dir, name), err)
		}
	}
	// These stay where others have something in them.
	if client.RemoveDirectory(dir) == nil && h.options.Directory == "" {
		_ = client.RemoveDirectory(path.Dir(dir))
	}
	return nil
}

// leftBare tells whether the host is as bare as it was found: it had no directory of
// Slipway's, so no record either, and nothing was done to it since.
func (h *host) leftBare() bool {
	return !h.used.Load() && slices.Contains(h.made, h.place.directory)
}

// untouchPatience is how long a host may take to let go of what was put there: nobody
// waits for its sake longer than that.
const untouchPatience = 5 * time.Second

// untouch removes the agent from a host that was only looked at, and the directories
// that were made for it. Those that somebody else has something in by now stay.
func (h *host) untouch() error {
	giveUp := time.AfterFunc(untouchPatience, func() { _ = h.connection.Close() })
	defer giveUp.Stop()
	client, err := h.files.open()
	if err != nil {
		return err
	}
	if h.put != "" {
		if err := ignoreAbsent(client.Remove(h.put)); err != nil {
			return fmt.Errorf("remove %s: %w", h.put, err)
		}
	}
	for _, dir := range slices.Backward(h.made) {
		_ = client.RemoveDirectory(dir)
	}
	return nil
}

func ignoreAbsent(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func random() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// contextReader ends with its context.
type contextReader struct {
	ctx context.Context
	in  io.Reader
}

func (r contextReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.in.Read(p)
}
