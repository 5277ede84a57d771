package ssh_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pkg/sftp"
	xssh "golang.org/x/crypto/ssh"

	"github.com/slipway-k8s/slipway/hosts/hosttest"
)

// What sudo and chmod say and do where something is wrong with them.
const (
	sudoAsksForPassword = "echo 'sudo: a password is required' >&2; exit 1"
	chmodDoesNothing    = "exit 0" // nothing can be run, as with a noexec mount
)

// headIntoFullDisk takes so many bytes.
func headIntoFullDisk(space int) string {
	return fmt.Sprintf(`PATH=${PATH#*:}; head -c %d; echo "head: write error: No space left on device" >&2; exit 1`, space)
}

// says has every command answered by what the account is told instead.
func says(words string, status int) hosttest.Hooks {
	return hosttest.Hooks{Exec: func(channel xssh.Channel, _ string) bool {
		_, _ = io.WriteString(channel, words)
		hosttest.ExitStatus(channel, status)
		return true
	}}
}

// endless has commands print without end.
func endless() hosttest.Hooks {
	return hosttest.Hooks{Exec: func(channel xssh.Channel, _ string) bool {
		for line := bytes.Repeat([]byte("endless "), 4<<10); ; {
			if _, err := channel.Write(line); err != nil {
				return true
			}
		}
	}}
}

// killedBy has every command ended by a signal.
func killedBy(signal string) hosttest.Hooks {
	return hosttest.Hooks{Exec: func(channel xssh.Channel, _ string) bool {
		exitSignal(channel, signal)
		return true
	}}
}

func exitSignal(channel xssh.Channel, signal string) {
	_, _ = channel.SendRequest("exit-signal", false, xssh.Marshal(struct {
		Signal     string
		CoreDumped bool
		Message    string
		Language   string
	}{Signal: signal}))
}

// agents are those that a server has started.
type agents struct {
	mutex sync.Mutex
	kills []func(signal string)
}

func (a *agents) started(channel xssh.Channel, stop func()) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	a.kills = append(a.kills, func(signal string) {
		exitSignal(channel, signal)
		_ = channel.Close()
		stop()
	})
}

// kill ends all agents as a kill -9 would.
func (a *agents) kill(signal string) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	for _, kill := range a.kills {
		kill(signal)
	}
	a.kills = nil
}

// refuseKeys lets no key in.
func refuseKeys(_ net.Conn, config *xssh.ServerConfig) {
	config.PublicKeyCallback = func(xssh.ConnMetadata, xssh.PublicKey) (*xssh.Permissions, error) {
		return nil, errors.New("this key is not let in")
	}
}

// startups bounds the connections that have not logged in yet.
type startups struct {
	most    int
	slow    time.Duration // how long a login takes
	mutex   sync.Mutex
	now     int
	refused int
}

func (s *startups) hooks() hosttest.Hooks {
	return hosttest.Hooks{Conn: s.begin, Config: func(conn net.Conn, config *xssh.ServerConfig) {
		config.AuthLogCallback = func(_ xssh.ConnMetadata, _ string, err error) {
			if err == nil {
				<-time.After(s.slow)
				conn.(*startup).over()
			}
		}
	}}
}

func (s *startups) begin(conn net.Conn) net.Conn {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.now >= s.most {
		s.refused++
		return nil
	}
	s.now++
	return &startup{Conn: conn, over: sync.OnceFunc(func() {
		s.mutex.Lock()
		defer s.mutex.Unlock()
		s.now--
	})}
}

// turnedAway counts the connections that were refused.
func (s *startups) turnedAway() int {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.refused
}

// startup is a connection that has not logged in until it is over.
type startup struct {
	net.Conn
	over func()
}

func (s *startup) Close() error {
	s.over()
	return s.Conn.Close()
}

// mute is a connection that says who it is and nothing after that.
type mute struct {
	net.Conn
	greeted atomic.Bool
}

func hang(conn net.Conn) net.Conn { return &mute{Conn: conn} }

func (m *mute) Write(p []byte) (int, error) {
	if m.greeted.Swap(true) {
		return len(p), nil
	}
	return m.Conn.Write(p)
}

// cut is a connection that is closed when it has taken in so many bytes.
type cut struct {
	net.Conn
	left atomic.Int64
}

func cutAfter(bytes int64) func(net.Conn) net.Conn {
	return func(conn net.Conn) net.Conn {
		c := &cut{Conn: conn}
		c.left.Store(bytes)
		return c
	}
}

func (c *cut) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if c.left.Add(int64(-n)) <= 0 {
		_ = c.Conn.Close()
		return 0, net.ErrClosed
	}
	return n, err
}

// silence lets nothing through, in either direction, from begin until end.
type silence struct {
	mutex sync.RWMutex
	net.Conn
}

func (s *silence) wrap(conn net.Conn) net.Conn {
	s.Conn = conn
	return s
}

func (s *silence) begin() { s.mutex.Lock() }

func (s *silence) end() { s.mutex.Unlock() }

// pass waits until the silence is over.
func (s *silence) pass() {
	s.mutex.RLock()
	defer s.mutex.RUnlock()
}

func (s *silence) Write(p []byte) (int, error) {
	s.pass()
	return s.Conn.Write(p)
}

func (s *silence) Read(p []byte) (int, error) {
	n, err := s.Conn.Read(p)
	s.pass()
	return n, err
}

// printsIntoFiles has the login shell print ahead of SFTP.
func printsIntoFiles(words string) hosttest.Hooks {
	return hosttest.Hooks{Files: func(channel xssh.Channel) {
		_, _ = io.WriteString(channel, words)
		serve(channel, &disk{})
	}}
}

// fullDisk has SFTP write so many bytes and no more.
func fullDisk(space int64) hosttest.Hooks {
	return hosttest.Hooks{Files: func(channel xssh.Channel) { serve(channel, &disk{space: space}) }}
}

func serve(channel xssh.Channel, disk *disk) {
	server := sftp.NewRequestServer(channel, sftp.Handlers{FileGet: disk, FilePut: disk, FileCmd: disk, FileList: disk})
	_ = server.Serve() // its end is the client's
	_ = server.Close()
}

// disk is this machine's files as SFTP shows them, with a limit to the space for writing; 0 is no limit.
type disk struct {
	mutex   sync.Mutex
	space   int64
	written int64
	quota   bool // of the user, used up: nothing is taken, though there is room
}

func (d *disk) Fileread(r *sftp.Request) (io.ReaderAt, error) { return os.Open(r.Filepath) }

func (d *disk) Filewrite(r *sftp.Request) (io.WriterAt, error) {
	flags := r.Pflags()
	how := os.O_WRONLY
	if flags.Creat {
		how |= os.O_CREATE
	}
	if flags.Excl {
		how |= os.O_EXCL
	}
	if flags.Trunc {
		how |= os.O_TRUNC
	}
	file, err := os.OpenFile(r.Filepath, how, 0o644)
	if err != nil {
		return nil, err
	}
	return &diskFile{File: file, disk: d}, nil
}

// diskFile is a file that is being written.
type diskFile struct {
	*os.File
	disk *disk
}

func (f *diskFile) WriteAt(p []byte, offset int64) (int, error) {
	if !f.disk.take(int64(len(p))) {
		return 0, sftp.ErrSSHFxFailure // all that SFTP can say of a full disk
	}
	return f.File.WriteAt(p, offset)
}

func (d *disk) take(n int64) bool {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	if d.quota {
		return false
	}
	if d.space > 0 && d.written+n > d.space {
		d.written = d.space
		return false
	}
	d.written += n
	return true
}

// StatVFS tells what is left, in blocks of one byte.
func (d *disk) StatVFS(*sftp.Request) (*sftp.StatVFS, error) {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	free := uint64(1 << 40)
	if d.space > 0 {
		free = uint64(d.space - d.written)
	}
	return &sftp.StatVFS{Bsize: 1, Frsize: 1, Blocks: 1 << 40, Bfree: free, Bavail: free, Namemax: 255}, nil
}

func (d *disk) PosixRename(r *sftp.Request) error { return os.Rename(r.Filepath, r.Target) }

func (d *disk) Filecmd(r *sftp.Request) error {
	switch r.Method {
	case "Setstat":
		return setstat(r)
	case "Rename":
		return os.Rename(r.Filepath, r.Target)
	case "Remove":
		return os.Remove(r.Filepath)
	case "Rmdir":
		return os.Remove(r.Filepath)
	case "Mkdir":
		return os.Mkdir(r.Filepath, 0o755)
	default:
		return sftp.ErrSSHFxOpUnsupported
	}
}

func setstat(r *sftp.Request) error {
	attributes, flags := r.Attributes(), r.AttrFlags()
	if flags.Permissions {
		if err := os.Chmod(r.Filepath, attributes.FileMode().Perm()); err != nil {
			return err
		}
	}
	if flags.Size {
		return os.Truncate(r.Filepath, int64(attributes.Size))
	}
	return nil
}

func (d *disk) Filelist(r *sftp.Request) (sftp.ListerAt, error) {
	if r.Method != "List" {
		info, err := os.Stat(r.Filepath)
		return listing{info}, err
	}
	entries, err := os.ReadDir(r.Filepath)
	if err != nil {
		return nil, err
	}
	var found listing
	for _, entry := range entries {
		if info, err := entry.Info(); err == nil {
			found = append(found, info)
		}
	}
	return found, nil
}

// Lstat follows no link.
func (d *disk) Lstat(r *sftp.Request) (sftp.ListerAt, error) {
	info, err := os.Lstat(r.Filepath)
	return listing{info}, err
}

type listing []fs.FileInfo

func (l listing) ListAt(into []fs.FileInfo, offset int64) (int, error) {
	if offset >= int64(len(l)) {
		return 0, io.EOF
	}
	n := copy(into, l[offset:])
	if n < len(into) {
		return n, io.EOF
	}
	return n, nil
}
