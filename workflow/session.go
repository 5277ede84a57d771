package workflow

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/user"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/slipway-k8s/slipway/bundle"
	"github.com/slipway-k8s/slipway/bundle/archive"
	"github.com/slipway-k8s/slipway/certs"
	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/hosts/ssh"
	"github.com/slipway-k8s/slipway/images"
	"github.com/slipway-k8s/slipway/phases/engine/api"
)

// Options are what a session is opened with.
type Options struct {
	File   string // the cluster file's name, for messages; what it names lies beside it
	Data   []byte // what is in it
	Bundle string // the bundle's file; empty for none
	// Version is this program's, and Agent the one that it carries, for Linux on this machine's
	// architecture.
	Version string
	Agent   func() (ssh.Binary, error)
	// Dial connects to a host; by SSH unless said.
	Dial func(context.Context, cluster.Host) (hosts.Host, error)
}

// Session is what one command knows: what is wanted, and what is there.
type Session struct {
	Options
	front   Frontend
	cluster *cluster.Cluster
	archive *archive.Archive // nil without a bundle
	bill    bundle.Bill
	hosts   map[string]hosts.Host  // those that answered
	down    map[string]error       // those that did not, or do not any longer
	gate    *ssh.Gate              // what is asked of all hosts at once
	facts   map[string]hosts.Facts // of those that answered
	seen    map[string]time.Time   // when, by this machine's clock

	images *images.Set // the user's own, for image load

	// viaHosts are hosts that are not in the cluster yet, and from which its API is reached.
	viaHosts []string

	sick map[string]error // why a control plane's keys could not be read
	keys *keys
	api  *api.Client // nil while the cluster's keys are not known
	live hosts.ClusterFacts

	coming *arrivals  // nil unless hosts are taken one by one
	late   *lateHosts // nil unless some may come later

	leasing      bool   // hosts are leased before they are looked at
	leased       bool   // the hosts' lease is held, for this plan or several
	releaseLease func() // gives the lease back; nil where none is held
}

// Open reads the cluster file and, where one is named, the bundle. No host is touched.
func Open(options Options, front Frontend) (*Session, error) {
	c, err := cluster.Load(options.Data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", options.File, err)
	}
	c.MapFiles(func(path string) string { return beside(options.File, path) })
	s := &Session{
		Options: options,
		front:   front,
		cluster: c,
		hosts:   map[string]hosts.Host{},
		down:    map[string]error{},
		gate:    ssh.NewGate(),
		facts:   map[string]hosts.Facts{},
		seen:    map[string]time.Time{},
	}
	if options.Bundle == "" {
		return s, nil
	}
	trusted, err := trustOf(c)
	if err != nil {
		return nil, err
	}
	if s.archive, err = trusted.openBundle(options.Bundle); err != nil {
		return nil, err
	}
	s.bill = s.archive.Bill()
	return s, nil
}

// beside resolves a path that stands in a file: ~ is the operator's home, and what is
// relative is beside the file that says it.
func beside(file, path string) string {
	switch {
	case path == "" || filepath.IsAbs(path):
		return path
	case strings.HasPrefix(path, "~/"):
		home, err := os.UserHomeDir()
		if err != nil {
			return path
		}
		return filepath.Join(home, path[2:])
	}
	return filepath.Join(filepath.Dir(file), path)
}

// Close ends every connection.
func (s *Session) Close() {
	if s.archive != nil {
		_ = s.archive.Close()
	}
	if s.images != nil {
		_ = s.images.Close()
	}
	var wait sync.WaitGroup
	for _, host := range s.closeLate() {
		wait.Go(func() { _ = host.Close() })
	}
	for name, host := range s.hosts {
		wait.Go(func() {
			_, end := s.stage(StageClose, name, "closing the connection")
			defer end()
			_ = host.Close()
		})
	}
	wait.Wait()
}

// connect reaches hosts, all at once. Those that do not answer are kept in s.down:
// whether that matters is for preflight to say.
func (s *Session) connect(ctx context.Context, wanted []cluster.Host) error {
	if len(wanted) > 0 {
		defer s.span(StageConnect)()
	}
	var (
		mu   sync.Mutex
		wait sync.WaitGroup
	)
	for _, h := range wanted {
		wait.Go(func() {
			host, err := s.reachHost(ctx, h)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				s.down[h.Name] = err
				return
			}
			s.hosts[h.Name] = host
		})
	}
	wait.Wait()
	return ctx.Err()
}

// reachHost connects to one host; it is said when that takes long.
func (s *Session) reachHost(ctx context.Context, h cluster.Host) (hosts.Host, error) {
	at, end := s.stage(StageConnect, h.Name, "logging in")
	defer end()
	if s.Dial != nil {
		return s.Dial(ctx, h)
	}
	options := s.sshOptions(h)
	options.Tell = at
	return ssh.Connect(ctx, options)
}

func (s *Session) sshOptions(h cluster.Host) ssh.Options {
	return ssh.Options{
		Name:           h.Name,
		Host:           h.SSH.Host,
		Port:           h.SSH.Port,
		User:           h.SSH.User,
		IdentityFile:   h.SSH.IdentityFile,
		KnownHostsFile: h.SSH.KnownHostsFile,
		ProxyCommand:   h.SSH.ProxyCommand,
		ConnectTimeout: time.Duration(h.SSH.ConnectTimeout),
		Binary:         s.agentBinary,
		Version:        s.Version,
		Gate:           s.gate,
	}
}

// agentBinary is the agent for a host: the one that this program carries where that fits, else
// the bundle's.
func (s *Session) agentBinary(ctx context.Context, platform ssh.Platform) (ssh.Binary, error) {
	own := ssh.Platform{OS: "linux", Arch: runtime.GOARCH}
	why := fmt.Errorf("find an agent for %s: this command has one for %s only; name a bundle for %s", platform, own, platform)
	if platform == own {
		agent, err := s.Agent()
		if err == nil {
			return agent, nil
		}
		why = err
	}
	if s.archive == nil || s.bill.Platform != (bundle.Platform{OS: platform.OS, Arch: platform.Arch}) {
		return ssh.Binary{}, why
	}
	set, ok := s.bill.Set(bundle.SetAgent)
	if !ok || len(set.Files) == 0 {
		return ssh.Binary{}, fmt.Errorf("find an agent for %s: the bundle has none in it, and %w", platform, why)
	}
	file := set.Files[0]
	return ssh.Binary{
		SHA256: strings.TrimPrefix(file.Digest, "sha256:"),
		Size:   file.Size,
		Open:   func() (io.ReadCloser, error) { return s.archive.OpenFile(ctx, file) },
	}, nil
}

// isSilent tells that a host does not answer, now or any longer: it is as one that was not
// reached, and what that means is for preflight to say.
func isSilent(err error) bool {
	host, ok := errors.AsType[*hosts.Error](err)
	return ok && (host.Kind == hosts.KindStuck || host.Kind == hosts.KindCut || host.Kind == hosts.KindUnreachable)
}

// lookAt observes one host.
func (s *Session) lookAt(ctx context.Context, name string, host hosts.Host, query hosts.Query) (hosts.Facts, error) {
	_, end := s.stage(StageHosts, name, "looking at the host")
	defer end()
	return host.Observe(ctx, query)
}

// observe looks at every connected host. Those that do not answer are kept in s.down.
func (s *Session) observe(ctx context.Context, query func(cluster.Host) hosts.Query) error {
	var (
		mu   sync.Mutex
		wait sync.WaitGroup
		errs []error
	)
	for name, host := range s.hosts {
		h, ok := s.cluster.Host(name)
		if !ok {
			continue
		}
		wait.Go(func() {
			facts, err := s.lookAt(ctx, name, host, query(h))
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				s.facts[name], s.seen[name] = facts, time.Now()
				delete(s.down, name)
			case ctx.Err() == nil && isSilent(err):
				s.down[name] = err
				delete(s.facts, name)
			default:
				errs = append(errs, fmt.Errorf("observe %s: %w", name, err))
			}
		})
	}
	wait.Wait()
	return errors.Join(errs...)
}

// downErrors are the reasons why hosts did not answer, in the order of their names.
func (s *Session) downErrors() error {
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(s.down)) {
		errs = append(errs, s.down[name])
	}
	return errors.Join(errs...)
}

// Name is the cluster's.
func (s *Session) Name() string { return s.cluster.Name }

// HostNames are those of the file, in its order.
func (s *Session) HostNames() []string {
	var names []string
	for _, h := range s.cluster.Hosts {
		names = append(names, h.Name)
	}
	return names
}

// identity is the cluster's, once its keys are known.
func (s *Session) identity() hosts.Identity {
	id, err := certs.ID(s.keys.pki)
	if err != nil {
		return hosts.Identity{Name: s.cluster.Name}
	}
	return hosts.Identity{ID: id, Name: s.cluster.Name}
}

// holder says who is at work, for leases and journals.
func holder() string {
	name := "unknown"
	if current, err := user.Current(); err == nil {
		name = current.Username
	}
	machine, err := os.Hostname()
	if err != nil {
		machine = "unknown"
	}
	return fmt.Sprintf("%s@%s, process %d", name, machine, os.Getpid())
}
