package ssh

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"

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
	patience   time.Duration // with its start; filePatience if zero
	mutex      sync.Mutex
	client     *sftp.Client
	refused    error // why it is not to be had: it is not asked for again
}

func (f *files) open(ctx context.Context) (*sftp.Client, error) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	if f.client != nil || f.refused != nil {
		return f.client, f.refused
	}
	client, err := f.start(ctx)
	switch {
	case err == nil:
		f.client = client
		return client, nil
	case ctx.Err() != nil, f.connection.lost(err):
		return nil, err
	}
	f.refused = fmt.Errorf("start SFTP: %v", err) //nolint:errorlint // what it is of is over: blobs go another way
	return nil, f.refused
}

// start opens the session. It is tried once: where there is only one, the agent has it. A start file that runs
// something else in SFTP's place may never come to an end, which is the end of this session alone.
func (f *files) start(ctx context.Context) (*sftp.Client, error) {
	session, err := f.connection.NewSession()
	if err != nil {
		return nil, err
	}
	overseen := oversee(ctx, cmp.Or(f.patience, filePatience), func() { _ = session.Close() })
	client, err := f.greet(session)
	if err = overseen.end("open it", err); err != nil {
		_ = session.Close()
		return nil, err
	}
	return client, nil
}

// greet starts SFTP in a session. What comes before the server's first word is kept: a login
// shell's start file that prints says it in SFTP's place.
func (f *files) greet(session *ssh.Session) (*sftp.Client, error) {
	in, err := session.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := session.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := session.RequestSubsystem("sftp"); err != nil {
		return nil, err
	}
	size := packetSizeOthers
	if strings.Contains(string(f.connection.ServerVersion()), "OpenSSH") {
		size = packetSize
	}
	heard := &beginning{in: bufio.NewReader(out)}
	client, err := sftp.NewClientPipe(heard, in,
		sftp.MaxPacketUnchecked(size), sftp.UseConcurrentWrites(true), sftp.MaxConcurrentRequestsPerFile(packetsUnderWay))
	if err != nil {
		if noise := heard.text(); noise != "" {
			err = fmt.Errorf("where SFTP should begin, the login shell prints: %s", noise)
		}
		return nil, err
	}
	return client, nil
}

// beginning keeps the first bytes of a stream.
type beginning struct {
	in   *bufio.Reader
	kept []byte
}

func (b *beginning) Read(p []byte) (int, error) {
	n, err := b.in.Read(p)
	if room := maxFirst - len(b.kept); room > 0 {
		b.kept = append(b.kept, p[:min(n, room)]...)
	}
	return n, err
}

// text is the beginning where it is text, with what has come of it unread: SFTP's own begins
// with the length of a short packet, and so with a zero.
func (b *beginning) text() string {
	if len(b.kept) == 0 || b.kept[0] == 0 {
		return ""
	}
	unread, _ := b.in.Peek(min(b.in.Buffered(), maxFirst)) // no more than is there
	return hosts.CleanLine(string(b.kept) + string(unread))
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

// makePrivate makes a directory that only its owner may enter, and those above it.
func makePrivate(client *sftp.Client, dir string) error {
	info, err := client.Stat(dir)
	if err == nil {
		if !info.IsDir() {
			return fmt.Errorf("%s is not a directory", dir)
		}
		return nil
	}
	if !errors.Is(err, fs.ErrNotExist) || dir == "/" || dir == "." {
		return fmt.Errorf("make %s: %w", dir, err)
	}
	if err = makePrivate(client, path.Dir(dir)); err != nil {
		return err
	}
	if err := client.Mkdir(dir); err != nil {
		if info, statErr := client.Stat(dir); statErr == nil && info.IsDir() {
			return nil // somebody else was faster
		}
		return fmt.Errorf("make %s: %w", dir, err)
	}
	if err := client.Chmod(dir, 0o700); err != nil {
		return fmt.Errorf("make %s: %w", dir, err)
	}
	return nil
}

// syncEvery is how many bytes are sent before the host is asked to sync them. OpenSSH's SFTP
// server does one request after another: while it syncs one file, what is sent to the
// others gets no answer. No sync may take as long as the patience with them.
const syncEvery = 64 << 20

// sendFile writes content to a file from an offset on.
func sendFile(ctx context.Context, client *sftp.Client, name string, offset int64, content io.Reader) error {
	file, err := client.OpenFile(name, os.O_WRONLY|os.O_CREATE)
	if err != nil {
		return err
	}
	defer file.Close()
	if _, err := file.Seek(offset, io.SeekStart); err != nil {
		return err
	}
	sync := func() error { return nil }
	if _, can := client.HasExtension("fsync@openssh.com"); can {
		sync = file.Sync
	}
	write := func(part io.Reader) (int64, error) { return file.ReadFromWithConcurrency(part, packetsUnderWay) }
	if err := inParts(hosts.ContextReader{Context: ctx, In: content}, write, sync); err != nil {
		return err
	}
	return file.Close()
}

// inParts writes content in parts of syncEvery bytes, and syncs after each.
func inParts(content io.Reader, write func(io.Reader) (int64, error), sync func() error) error {
	for {
		written, err := write(io.LimitReader(content, syncEvery))
		if err != nil {
			return err
		}
		if err := sync(); err != nil {
			return err
		}
		if written < syncEvery {
			return nil
		}
	}
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
