package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/user"
	"slices"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/slipway-k8s/slipway/bundle"
	"github.com/slipway-k8s/slipway/bundle/archive"
	"github.com/slipway-k8s/slipway/certs"
	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/hosts/ssh"
	"github.com/slipway-k8s/slipway/images"
	"github.com/slipway-k8s/slipway/phases/engine/api"
)

// session is what one command knows: what is wanted, and what is there.
type session struct {
	file    string
	cluster *cluster.Cluster
	archive *archive.Archive // nil without --bundle
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

	// dial connects to a host, by SSH unless said.
	dial   func(context.Context, cluster.Host) (hosts.Host, error)
	coming *arrivals  // nil unless hosts are taken one by one
	late   *lateHosts // nil unless some may come later

	timeline *timeline // nil unless one is asked for

	leasing      bool   // hosts are leased before they are looked at
	leased       bool   // the hosts' lease is held, for this plan or several
	releaseLease func() // gives the lease back; nil where none is held
}

// clusterFlags are the flags of every command that needs a cluster file.
type clusterFlags struct {
	file   string
	bundle string
}

func (f *clusterFlags) add(command *cobra.Command) {
	command.Flags().StringVarP(&f.file, "file", "f", "", "the cluster file (- for standard input)")
	_ = command.MarkFlagFilename("file", "yaml", "yml")
	_ = command.MarkFlagRequired("file")
}

func (f *clusterFlags) addBundle(command *cobra.Command) {
	f.add(command)
	command.Flags().StringVar(&f.bundle, "bundle", "", "the bundle with all that the hosts will run")
	_ = command.MarkFlagFilename("bundle", "tar")
	_ = command.MarkFlagRequired("bundle")
}

// load reads the cluster file and, where one is named, the bundle. No host is touched.
func load(flags clusterFlags) (*session, error) {
	c, err := loadCluster(flags.file)
	if err != nil {
		return nil, err
	}
	s := &session{
		file:    flags.file,
		cluster: c,
		hosts:   map[string]hosts.Host{},
		down:    map[string]error{},
		gate:    ssh.NewGate(),
		facts:   map[string]hosts.Facts{},
		seen:    map[string]time.Time{},
	}
	if flags.bundle == "" {
		return s, nil
	}
	trusted, err := trustOf(c)
	if err != nil {
		return nil, err
	}
	if s.archive, err = trusted.openBundle(flags.bundle); err != nil {
		return nil, err
	}
	s.bill = s.archive.Bill()
	return s, nil
}

func loadCluster(file string) (*cluster.Cluster, error) {
	data, err := readInput(file)
	if err != nil {
		return nil, &usageError{fmt.Errorf("read the cluster file: %w", err)}
	}
	c, err := cluster.Load(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	c.MapFiles(func(path string) string { return beside(file, path) })
	return c, nil
}

// Close ends every connection.
func (s *session) Close() {
	if s.archive != nil {
		_ = s.archive.Close()
	}
	var wait sync.WaitGroup
	for _, host := range s.closeLate() {
		wait.Go(func() { _ = host.Close() })
	}
	for name, host := range s.hosts {
		wait.Go(func() {
			_, end := awaiting.begin(name, "closing the connection")
			defer end()
			_ = host.Close()
		})
	}
	wait.Wait()
}

// connect reaches hosts, all at once. Those that do not answer are kept in s.down:
// whether that matters is for preflight to say.
func (s *session) connect(ctx context.Context, wanted []cluster.Host) error {
	if len(wanted) > 0 {
		defer s.timeline.span("connect")()
	}
	go func() { _, _ = ownBinary() }() // it may have to be hashed, meanwhile
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
func (s *session) reachHost(ctx context.Context, h cluster.Host) (hosts.Host, error) {
	if s.dial != nil {
		return s.dial(ctx, h)
	}
	options := s.sshOptions(h)
	at, end := awaiting.begin(h.Name, "logging in")
	defer end()
	options.Tell = at
	return ssh.Connect(ctx, options)
}

func (s *session) sshOptions(h cluster.Host) ssh.Options {
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
		Version:        version,
		Gate:           s.gate,
	}
}

// isSilent tells that a host does not answer, now or any longer: it is as one that was not
// reached, and what that means is for preflight to say.
func isSilent(err error) bool {
	host, ok := errors.AsType[*hosts.Error](err)
	return ok && (host.Kind == hosts.KindStuck || host.Kind == hosts.KindCut || host.Kind == hosts.KindUnreachable)
}

// lookAt asks a host; it is said when that takes long, and with what.
func lookAt(ctx context.Context, name string, host hosts.Host, what string, query hosts.Query) (hosts.Facts, error) {
	_, end := awaiting.begin(name, what)
	defer end()
	return host.Observe(ctx, query)
}

// What a host is asked, for who waits.
const lookingAtHost = "looking at the host"

// observe looks at every connected host. Those that do not answer are kept in s.down.
func (s *session) observe(ctx context.Context, query func(cluster.Host) hosts.Query) error {
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
			facts, err := lookAt(ctx, name, host, lookingAtHost, query(h))
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
func (s *session) downErrors() error {
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(s.down)) {
		errs = append(errs, s.down[name])
	}
	return errors.Join(errs...)
}

// hostNames are those of the file, in its order.
func (s *session) hostNames() []string {
	var names []string
	for _, h := range s.cluster.Hosts {
		names = append(names, h.Name)
	}
	return names
}

// identity is the cluster's, once its keys are known.
func (s *session) identity() hosts.Identity {
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
