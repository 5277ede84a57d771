// Package ssh is a Host reached by SSH: it connects, puts Slipway's own binary on the
// host where it is missing, runs it as the agent, and speaks to it from then on.
//
// It needs of the host an sshd that lets one command be run, a POSIX shell, and root or a sudo or
// doas that lets a shell be run, with a password or without. Host keys are always checked against known_hosts.
package ssh

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/hosts/agent"
)

// Options say how to reach a host.
type Options struct {
	Name string // as the cluster file has it; all errors tell it
	Host string // the name or address to connect to, as one would type it at ssh
	Port int    // what the configuration says if zero, else 22
	User string // what the configuration says if empty, else root

	// ConfigFile is read in place of ~/.ssh/config and /etc/ssh/ssh_config; none has none read. What these
	// files say of Host counts where nothing is said here.
	ConfigFile string
	// IdentityFile is the private key to use, and IdentityFiles are several. If empty, the keys are those that
	// the configuration names and those of ssh-agent; unless it names any, also the usual files of ~/.ssh.
	IdentityFile  string
	IdentityFiles []string
	// CertificateFile is a certificate for one of the keys.
	CertificateFile string
	// IdentityAgent is ssh-agent's socket; none asks no agent. If empty, it is what SSH_AUTH_SOCK names.
	IdentityAgent string
	// KnownHostsFile is where the host's key must be. If empty, it is looked for where the configuration
	// says, or in ~/.ssh/known_hosts, ~/.ssh/known_hosts2 and the same two of /etc/ssh.
	KnownHostsFile string
	// HostKeys are the only keys that the host may have, in place of known_hosts: fingerprints (SHA256:…) or
	// public keys.
	HostKeys []string
	// Jump are the hosts on the way, the first of which is connected to first.
	Jump []Jump
	// ProxyCommand carries the connection over its stdin and stdout, as ssh_config(5)
	// has it: %h, %p, %r, %n and %% are expanded. none: the connection is direct.
	ProxyCommand string
	// ConnectTimeout bounds everything up to the end of the SSH handshake: what the configuration says if zero,
	// else 10 s, and a minute more from when sshd has said that it is there: a small or emulated host may need
	// half of it for the exchange of keys alone.
	ConnectTimeout time.Duration

	// Binary gives the agent's binary for a platform.
	Binary func(context.Context, Platform) (Binary, error)
	// Version is Slipway's, which the agent must have, too.
	Version string
	// Directory is where on the host the agent goes: root's, as all above it must be. If
	// empty, it is /var/lib/slipway.
	Directory string
	// Inbox is where large blobs go, which the login user writes. If empty, it is
	// Directory/inbox for root and ~/.cache/slipway/inbox for other users.
	Inbox string
	// Gate bounds what many hosts are asked at the same time; nil bounds nothing.
	Gate *Gate
	// Tell is told what Connect is at, for whoever waits for it; it may be nil.
	Tell func(stage string)
	// Note is told what the operator should know of how the host is reached; it may be nil. The same may be
	// said for several hosts.
	Note func(text string)
	// Life says when the agent is taken for lost.
	Life agent.Life

	// Become is the program that root is become with: BecomeSudo, BecomeDoas, or BecomeNone where who logs in is root.
	// Empty: what the host has.
	Become string
	// BecomePassword gives the password that sudo or doas asks for on the host; prompt is
	// what it asks with, on one line, or empty where that is not known. It may wait for the operator to type it, and
	// for another host to try the same password first. Its error is a *hosts.Error that says why there is none.
	// nil: none can be given. Who has been given one and was let in calls BecomeAccepted, else BecomeRefused.
	BecomePassword func(ctx context.Context, prompt string) (string, error)
	// BecomeAccepted and BecomeRefused tell that the password which BecomePassword gave last was right, or wrong:
	// after the latter BecomePassword may be called again, and gives another one or an error. Nil where
	// BecomePassword is.
	BecomeAccepted func()
	BecomeRefused  func()

	// Shared is what all hosts of a command have together; without one, nobody is asked for anything.
	Shared *Shared
	// AskPassword has the password asked for before a host is connected to, and AskBecome that of sudo or doas.
	AskPassword, AskBecome bool
	// PasswordFile has the password to log in with in its first line, and BecomePasswordFile that of sudo or doas.
	// Their owner alone may read them.
	PasswordFile, BecomePasswordFile string
	// TrustOnFirstUse has a host's key accepted that no known_hosts file has: see UnknownKey.Accept.
	TrustOnFirstUse bool

	// LoginName is who logs in where neither User nor the configuration says; root if empty.
	LoginName string

	settings
	resolved bool
	greeted  time.Duration // what is left at least when sshd has introduced itself
	forJump  bool          // it is a jump host, for the host of this name
	beyond   []string      // the jump hosts that are reached through this one
}

// DefaultConnectTimeout is the time that a host has to answer and let us in.
const DefaultConnectTimeout = 10 * time.Second

// greetedPatience is how long the rest of a login may take where nobody has said a timeout: sshd itself
// waits two minutes for it (LoginGraceTime).
const greetedPatience = time.Minute

func (o Options) withDefaults() Options {
	if o.Port == 0 {
		o.Port = 22
	}
	if o.User == "" {
		o.User = DefaultUser
	}
	if o.Name == "" {
		o.Name = o.Host
	}
	if o.Directory == "" {
		o.Directory = "/var/lib/slipway"
	}
	if o.ConnectTimeout == 0 {
		o.ConnectTimeout, o.greeted = DefaultConnectTimeout, greetedPatience
	}
	o.IdentityFiles = slices.Clone(o.IdentityFiles)
	if o.IdentityFile != "" {
		o.IdentityFiles = slices.Insert(o.IdentityFiles, 0, o.IdentityFile)
		o.IdentityFile = ""
	}
	for i, file := range o.IdentityFiles {
		o.IdentityFiles[i] = atHome(file)
	}
	o.KnownHostsFile, o.CertificateFile, o.IdentityAgent = atHome(o.KnownHostsFile), atHome(o.CertificateFile), atHome(o.IdentityAgent)
	return o
}

func (o Options) tell(stage string) {
	if o.Tell != nil {
		o.Tell(stage)
	}
}

// address is what is connected to, and what known_hosts has an entry for.
func (o Options) address() string { return net.JoinHostPort(o.Host, strconv.Itoa(o.Port)) }

// atHome expands a leading ~/.
func atHome(path string) string {
	rest, ok := strings.CutPrefix(path, "~/")
	if !ok {
		return path
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return path
	}
	return filepath.Join(home, rest)
}

// host is a machine at the other end of a connection.
type host struct {
	options    Options
	connection *connection
	agent      *agent.Client
	files      files
	place      place
	way        way  // that root was become last
	ran        bool // the agent was run, whatever came of it

	sending   chan struct{} // held by the one Upload that sends large blobs
	noFiles   atomic.Bool   // SFTP is not to be had, or not of use
	forgotten atomic.Bool   // a Forget went through: Close removes the agent
	made      []string      // directories that root made for the agent, the outermost first
	put       string        // the agent's binary, where it was put there now
	used      atomic.Bool   // something was begun that may leave a trace on the host
	tidies    atomic.Bool   // the connection outlives the agent, to remove it
}

var _ hosts.Host = (*host)(nil)

// Connect reaches a host and starts the agent on it. All errors are *hosts.Error.
func Connect(ctx context.Context, options Options) (hosts.Host, error) {
	if options.Shared == nil {
		options.Shared = NewShared(nil)
	}
	o, err := Resolve(ctx, options)
	if err != nil {
		return nil, err
	}
	guess := sync.OnceValue(func() Binary { return guessBinary(ctx, o) })
	go guess() // it may have to be read and hashed: meanwhile the host answers
	connection, err := connect(ctx, o)
	if err != nil {
		return nil, named(o.Name, "connect to "+o.Name, err)
	}
	asRoot, become := o.withBecome()
	h := &host{options: asRoot, connection: connection, sending: make(chan struct{}, 1)}
	h.files.connection = connection
	err = h.start(ctx, guess())
	if become != nil {
		become.leave() // unless it was judged
	}
	if err != nil {
		err = named(o.Name, "start the agent", h.orCut("start the agent", err))
		if h.leftBare() {
			_ = h.byShell(ctx, untouchScript, append([]string{h.put}, h.madeInnermost()...)...) // what went wrong first is told
		}
		_ = connection.Close() // first: it frees what files would wait for
		_ = h.files.Close()
		return nil, err
	}
	go func() {
		<-h.agent.Done()
		if !h.tidies.Load() {
			_ = connection.Close() // without an agent there is nothing to stay for
		}
	}()
	return h, nil
}

// LoginUser is who has logged in.
func (h *host) LoginUser() string { return h.options.User }

// Observe is the agent's.
func (h *host) Observe(ctx context.Context, query hosts.Query) (hosts.Facts, error) {
	facts, err := h.agent.Observe(ctx, query)
	return facts, named(h.options.Name, "observe", err)
}

// Do is the agent's. A lease alone leaves no trace: before it is taken, and where nothing
// follows it, a bare host is left bare.
func (h *host) Do(ctx context.Context, action hosts.Action, progress func(hosts.Progress)) (hosts.Outcome, error) {
	switch action.(type) {
	case hosts.TakeLease, hosts.ReleaseLease:
	default:
		h.used.Store(true)
	}
	outcome, err := h.agent.Do(ctx, action, progress)
	if _, forget := action.(hosts.Forget); forget && err == nil {
		h.forgotten.Store(true)
		h.tidies.Store(true)
	}
	return outcome, named(h.options.Name, hosts.Describe(action).Deed, err)
}

// Dial connects from the host. The connection's bytes go through the agent: it needs no
// forwarding by sshd, no session channel of its own, and no process to be started.
func (h *host) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := h.agent.Dial(ctx, network, address)
	if err != nil {
		return nil, named(h.options.Name, "connect to "+address, err)
	}
	return conn, nil
}

// Journal is the agent's.
func (h *host) Journal(ctx context.Context, unit string, lines int, follow bool) (io.ReadCloser, error) {
	journal, err := h.agent.Journal(ctx, unit, lines, follow)
	if err != nil {
		return nil, named(h.options.Name, "read the journal of "+unit, err)
	}
	return journal, nil
}

// Close ends the agent once it has finished what it has in hand, and the connection. From
// a host that it found bare and that was only looked at, it takes the agent away again.
func (h *host) Close() error {
	forgotten, lost := h.forgotten.Load(), false
	select {
	case <-h.agent.Done(): // and the connection with it, unless that stays to tidy up
		lost = true
	default:
	}
	var err error
	switch {
	case forgotten && lost:
		err = h.byShell(context.Background(), tidyScript, h.place.directory)
	case forgotten:
		err = h.tidy()
	case !lost && h.leftBare():
		err = h.untouch()
	}
	err = errors.Join(err, h.agent.Close())
	if forgotten {
		err = errors.Join(err, h.tidyInbox())
	}
	_ = h.connection.Close() // first: it frees what files would wait for
	_ = h.files.Close()
	return named(h.options.Name, "close", err)
}

// named makes an error a *hosts.Error that tells the host.
func named(name, op string, err error) error {
	if err == nil {
		return nil
	}
	wrapped := &hosts.Error{Kind: hosts.KindBroken, Host: name, Op: op, Err: err}
	if outer, ok := err.(*hosts.Error); ok { //nolint:errorlint // only the outermost may be replaced
		*wrapped = *outer
		wrapped.Host = name
		return wrapped
	}
	var inner *hosts.Error
	if errors.As(err, &inner) {
		wrapped.Kind, wrapped.Fix = inner.Kind, inner.Fix
	}
	return wrapped
}

// orCut calls an error a lost connection where that is what is behind it.
func (h *host) orCut(op string, err error) error {
	if err == nil || errors.Is(err, context.Canceled) || !h.connection.lost(err) {
		return err
	}
	var known *hosts.Error
	if errors.As(err, &known) && known.Kind != hosts.KindBroken {
		return err
	}
	return &hosts.Error{
		Kind: hosts.KindCut, Op: op, Err: h.connection.lostBy(err),
		Fix: "run the same command again; it goes on from where the host is",
	}
}

// Platform is a system and an architecture, in Go's words.
type Platform struct{ OS, Arch string }

func (p Platform) String() string { return p.OS + "/" + p.Arch }

// Binary is slipway-agent for one platform.
type Binary struct {
	SHA256 string // in hex
	Size   int64
	Open   func() (io.ReadCloser, error)
}

// platform puts what uname says into Go's words.
func platform(system, machine string) Platform {
	systems := map[string]string{"Linux": "linux"}
	machines := map[string]string{
		"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64",
		"armv7l": "arm", "ppc64le": "ppc64le", "s390x": "s390x", "riscv64": "riscv64",
	}
	p := Platform{OS: system, Arch: machine}
	if known, ok := systems[system]; ok {
		p.OS = known
	}
	if known, ok := machines[machine]; ok {
		p.Arch = known
	}
	return p
}
