package main_test

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/crypto/ssh"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/hosts/hosttest"
)

// stage is where a script plays: its hosts, and its work folder.
type stage struct {
	t       testing.TB
	dir     string
	names   []string // in the order of the cluster file
	hosts   map[string]*stageHost
	cluster *fakeCluster
}

// stageHost is a machine and the sshd in front of it.
type stageHost struct {
	t             testing.TB
	name, address string
	role          string
	machine       *hosttest.Fake
	server        *hosttest.Server

	bare     []string // the paths that a bare machine has
	cluster  *fakeCluster
	down     bool   // without power
	holds    bool   // it has the virtual address
	memberID uint64 // the member of etcd whose data it has
	when     atomic.Pointer[func(context.Context, hosts.Action)]
	recovers func()                  // what sticks goes on
	fails    atomic.Pointer[failing] // the action that fails next
	dies     atomic.Bool             // when one of its journals is followed
	deaf     atomic.Bool             // its keepalived hears no other
	logs     atomic.Pointer[string]  // a line that comes then
	api      *httptest.Server
	etcd     net.Listener
	well     *httptest.Server // components that say that they are well
	wellTLS  *httptest.Server
	metrics  string // of its API server
}

// failing is a kind of action that fails, and what is said then.
type failing struct{ kind, text string }

// steering is a text in which ESC, BEL and CSI are the control characters that are called so.
func steering(text string) string {
	return strings.NewReplacer("ESC", "\x1b", "BEL", "\a", "CSI", "\u009b").Replace(text)
}

type stageKey struct{}

func newStage(env *testscript.Env) error {
	s := &stage{t: env.T().(testing.TB), dir: env.WorkDir, hosts: map[string]*stageHost{}, cluster: newFakeCluster()}
	env.Values[stageKey{}], env.Values[screenKey{}] = s, &screens{}
	home := filepath.Join(env.WorkDir, "home")
	for name, folder := range map[string]string{
		"HOME": "", "XDG_STATE_HOME": "state", "XDG_CONFIG_HOME": "config", "XDG_CACHE_HOME": "cache",
	} {
		path := filepath.Join(home, folder)
		env.Setenv(name, path)
		if err := os.MkdirAll(path, 0o700); err != nil {
			return err
		}
	}
	return errors.Join(placeBundles(env.WorkDir), placeImage(env.WorkDir))
}

func stageOf(ts *testscript.TestScript) *stage { return ts.Value(stageKey{}).(*stage) }

// boot makes bare hosts and puts them into the cluster file.
func (s *stage) boot(names []string) error {
	for _, name := range names {
		h := &stageHost{t: s.t, name: name, role: "worker"}
		kind, number, _ := strings.Cut(name, "-")
		subnet := 3
		switch kind {
		case "cp":
			h.role, subnet = "control-plane", 1
		case "lb":
			h.role, subnet = "load-balancer", 2
		}
		h.address = fmt.Sprintf("10.0.%d.%s", subnet, number)
		h.machine = hosttest.NewFake(name, h.address+"/16")
		h.machine.Before, h.bare = h.before, h.machine.Paths()
		h.server = hosttest.NewServer(s.t, h.machine)
		h.machine.Rebooted = h.server.Cut
		h.machine.Followed = h.followed
		s.cluster.add(h)
		s.names, s.hosts[name] = append(s.names, name), h
	}
	return s.writeCluster()
}

// before has happen what a script wants to happen when the host is asked for an action.
func (h *stageHost) before(ctx context.Context, action hosts.Action) error {
	if next := h.fails.Load(); next != nil && hosts.Describe(action).Kind == next.kind {
		h.fails.Store(nil)
		return errors.New(next.text)
	}
	if happens := h.when.Load(); happens != nil {
		(*happens)(ctx, action)
	}
	return nil
}

// stick has such actions not end before they are given up, or is-well happens.
func (h *stageHost) stick(kind string, givenUp func(context.Context) <-chan struct{}) {
	well := make(chan struct{})
	h.recovers = sync.OnceFunc(func() { close(well) })
	h.t.Cleanup(h.recovers)
	sticks := func(ctx context.Context, action hosts.Action) {
		if hosts.Describe(action).Kind != kind {
			return
		}
		select {
		case <-givenUp(ctx):
		case <-well:
		}
	}
	h.when.Store(&sticks)
}

// followed has happen what a script wants to happen when who follows a journal has read all of it.
func (h *stageHost) followed(unit string) {
	if line := h.logs.Swap(nil); line != nil {
		h.machine.Log(unit, *line)
		return
	}
	if h.dies.Load() {
		h.server.Cut()
	}
}

func (s *stage) writeCluster() error {
	var b strings.Builder
	b.WriteString("apiVersion: slipway.dev/v1alpha1\nkind: Cluster\nname: demo\ncertificates: {keyAlgorithm: ECDSA-P256}\n")
	if head, err := os.ReadFile(filepath.Join(s.dir, "head.yaml")); err == nil {
		b.Write(head)
	}
	b.WriteString("hosts:\n")
	for _, name := range s.names {
		h := s.hosts[name]
		fmt.Fprintf(&b, "  - {name: %s, address: %s, roles: [%s], ssh: {host: %s, port: %d, identityFile: %s, knownHostsFile: %s}}\n",
			name, h.address, h.role, h.server.Host, h.server.Port, h.server.IdentityFile, h.server.KnownHostsFile)
	}
	return os.WriteFile(filepath.Join(s.dir, "cluster.yaml"), []byte(b.String()), 0o600)
}

// hostEvents are what can happen to a host.
var hostEvents = map[string]func(s *stage, h *stageHost, arg string) error{
	"down": func(s *stage, h *stageHost, _ string) error {
		h.server.Unplug()
		s.cluster.mu.Lock()
		defer s.cluster.mu.Unlock()
		h.down = true
		return nil
	},
	// up: it has power again, as it was; what ran on it runs.
	"up": func(s *stage, h *stageHost, _ string) error {
		s.cluster.mu.Lock()
		h.down = false
		s.cluster.mu.Unlock()
		return h.server.Plug()
	},
	"leased-by": func(_ *stage, h *stageHost, who string) error {
		_, err := h.machine.Host().Do(context.Background(), hosts.TakeLease{Holder: who}, nil)
		return err
	},
	// sticks-at ACTION: the host does not end such an action before the command gives up, or the host is well.
	"sticks-at": func(_ *stage, h *stageHost, kind string) error {
		h.stick(kind, func(ctx context.Context) <-chan struct{} { return ctx.Done() })
		return nil
	},
	// hangs-at ACTION: it does not end it then either.
	"hangs-at": func(_ *stage, h *stageHost, kind string) error {
		h.stick(kind, func(context.Context) <-chan struct{} { return nil })
		return nil
	},
	// fails-at ACTION [TEXT]: the next such action fails, with such a text.
	"fails-at": func(_ *stage, h *stageHost, said string) error {
		kind, text, _ := strings.Cut(said, " ")
		h.fails.Store(&failing{kind, cmp.Or(steering(text), "it broke")})
		return nil
	},
	// is-well: what was said of the host before ends.
	"is-well": func(_ *stage, h *stageHost, _ string) error {
		h.when.Store(nil)
		if h.recovers != nil {
			h.recovers()
		}
		return nil
	},
	// changes-at ACTION: somebody else turns swap on just before such an action.
	"changes-at": func(_ *stage, h *stageHost, kind string) error {
		changes := func(_ context.Context, action hosts.Action) {
			if hosts.Describe(action).Kind == kind {
				h.machine.Edit(func(f *hosts.Facts) { f.Swaps = []string{"/dev/sdb"} })
			}
		}
		h.when.Store(&changes)
		return nil
	},
	// runs POD: the user runs a Pod there, of the Deployment that its name begins with.
	"runs": func(s *stage, h *stageHost, pod string) error {
		s.cluster.run(h.name, pod, false)
		return nil
	},
	"runs-bare": func(s *stage, h *stageHost, pod string) error {
		s.cluster.run(h.name, pod, true)
		return nil
	},
	// protects APP: a budget, of whatever host, lets none of its Pods go.
	"protects": func(s *stage, _ *stageHost, app string) error {
		s.cluster.protect(app)
		return nil
	},
	// was-asked-for RESOURCE: its API server has counted a request for the version v1beta1 of a resource,
	// which is removed with the default version; without a name: for nothing.
	"was-asked-for": func(s *stage, h *stageHost, resource string) error {
		version, err := cluster.ParseVersion(cluster.DefaultKubernetesVersion)
		s.cluster.mu.Lock()
		defer s.cluster.mu.Unlock()
		if h.metrics = ""; resource != "" {
			h.metrics = fmt.Sprintf("# TYPE apiserver_requested_deprecated_apis gauge\napiserver_requested_deprecated_apis{group=\"policy\",version=\"v1beta1\",resource=%q,removed_release=\"%d.%d\"} 1\n",
				resource, version.Major, version.Minor)
		}
		return err
	},
	// logs LINE: the kubelet says so.
	"logs": func(_ *stage, h *stageHost, line string) error {
		h.machine.Log("kubelet.service", steering(line))
		return nil
	},
	// logs-later LINE: the unit whose journal is followed says so when all before it was read.
	"logs-later": func(_ *stage, h *stageHost, line string) error {
		h.logs.Store(&line)
		return nil
	},
	// dies-when-followed: its connections end when who follows a journal has read all of it.
	"dies-when-followed": func(_ *stage, h *stageHost, _ string) error {
		h.dies.Store(true)
		return nil
	},
	// hears-no-adverts: something on the way keeps other keepaliveds' from it.
	"hears-no-adverts": func(_ *stage, h *stageHost, _ string) error {
		h.deaf.Store(true)
		return nil
	},
	"has-memory": func(_ *stage, h *stageHost, mebibytes string) error {
		n, err := strconv.Atoi(mebibytes)
		h.machine.Edit(func(f *hosts.Facts) { f.Memory = int64(n) << 20 })
		return err
	},
	// drops PORT: what it sends to others at this port does not arrive.
	"drops": func(_ *stage, h *stageHost, port string) error {
		h.machine.Passes(func(probe hosts.Probe) hosts.Probed {
			if fmt.Sprint(probe.To.Port) == port {
				return hosts.Probed{Probe: probe, Passage: hosts.Silent}
			}
			return hosts.Probed{Probe: probe, Passage: hosts.Passed, Fits: probe.Size}
		})
		return nil
	},
	// is-unknown: its known_hosts file is empty; its key's fingerprint stands in the file NAME.fingerprint.
	"is-unknown": func(s *stage, h *stageHost, _ string) error {
		return errors.Join(os.WriteFile(h.server.KnownHostsFile, nil, 0o600),
			os.WriteFile(filepath.Join(s.dir, h.name+".fingerprint"), []byte(ssh.FingerprintSHA256(h.server.HostKey())), 0o600))
	},
	// is-in-ssh-config: the user's ~/.ssh/config names it.
	"is-in-ssh-config": func(s *stage, h *stageHost, _ string) error {
		folder := filepath.Join(s.dir, "home", ".ssh")
		if err := os.MkdirAll(folder, 0o700); err != nil {
			return err
		}
		file, err := os.OpenFile(filepath.Join(folder, "config"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(file, "Match all\n  HashKnownHosts no\nHost %s\n  HostName localhost\n  Port %d\n  User root\n  IdentityFile %s\n", h.name, h.server.Port, h.server.IdentityFile)
		return errors.Join(err, file.Close())
	},
	// takes-a-password, asks-for-a-code: and no key.
	"takes-a-password": func(_ *stage, h *stageHost, password string) error {
		h.server.SetWays(hosttest.Ways{NoKeys: true, Password: password})
		return nil
	},
	"asks-for-a-code": func(_ *stage, h *stageHost, code string) error {
		h.server.SetWays(hosttest.Ways{NoKeys: true, Questions: []hosttest.Exchange{{
			Instruction: "Two steps\x1b[2J", Prompts: []string{"Verification code: "}, Answers: []string{code},
		}}})
		return nil
	},
	// has-another-key: it was installed anew, or somebody is in between.
	"has-another-key": func(_ *stage, h *stageHost, _ string) error {
		_, private, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			return err
		}
		signer, err := ssh.NewSignerFromKey(private)
		h.server.UseHostKeys(signer)
		return err
	},
	// is-known, is-not-known: its known_hosts file has its key, and nothing else; or nothing at all.
	"is-known": func(_ *stage, h *stageHost, _ string) error {
		content, err := os.ReadFile(h.server.KnownHostsFile)
		if lines := strings.Count(string(content), "\n"); err == nil && (lines != 1 || !strings.Contains(string(content), string(ssh.MarshalAuthorizedKey(h.server.HostKey())))) {
			return fmt.Errorf("known_hosts of %s has: %s", h.name, content)
		}
		return err
	},
	"is-not-known": func(_ *stage, h *stageHost, _ string) error {
		if content, err := os.ReadFile(h.server.KnownHostsFile); err != nil || len(content) > 0 {
			return fmt.Errorf("known_hosts of %s has (%w): %s", h.name, err, content)
		}
		return nil
	},
	// calls-its-system NAME, calls-itself NAME: what steering makes of it.
	"calls-its-system": func(_ *stage, h *stageHost, name string) error {
		h.machine.Edit(func(f *hosts.Facts) { f.OS.Pretty = steering(name) })
		return nil
	},
	"calls-itself": func(_ *stage, h *stageHost, name string) error {
		h.machine.Edit(func(f *hosts.Facts) { f.Hostname, f.StaticHostname = steering(name), steering(name) })
		return nil
	},
	"is-bare": func(_ *stage, h *stageHost, _ string) error {
		if record := h.machine.Record(); record != nil {
			return fmt.Errorf("%s has a record: %+v", h.name, record)
		}
		left := slices.DeleteFunc(h.machine.Paths(), func(path string) bool { return slices.Contains(h.bare, path) })
		if len(left) > 0 {
			return fmt.Errorf("%s has %s", h.name, strings.Join(left, ", "))
		}
		return nil
	},
}

func (s *stage) happen(args []string) error {
	if len(args) < 2 {
		return errors.New("usage: host NAME WHAT [ARG...]")
	}
	h, event := s.hosts[args[0]], hostEvents[args[1]]
	if h == nil || event == nil {
		return fmt.Errorf("host %s %s: there is no such host or event", args[0], args[1])
	}
	return event(s, h, strings.Join(args[2:], " "))
}
