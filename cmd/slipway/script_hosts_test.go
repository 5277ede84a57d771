package main_test

import (
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
	memberID uint64 // the member of etcd whose data it has
	when     atomic.Pointer[func(context.Context, hosts.Action)]
	fails    atomic.Pointer[string] // the kind of the action that fails next
	dies     atomic.Bool            // when one of its journals is followed
	logs     atomic.Pointer[string] // a line that comes then
	api      *httptest.Server
	etcd     net.Listener
	well     *httptest.Server // components that say that they are well
	wellTLS  *httptest.Server
	metrics  string // of its API server
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
	if kind := h.fails.Load(); kind != nil && hosts.Describe(action).Kind == *kind {
		h.fails.Store(nil)
		return errors.New("it broke")
	}
	if happens := h.when.Load(); happens != nil {
		(*happens)(ctx, action)
	}
	return nil
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
	"leased-by": func(_ *stage, h *stageHost, who string) error {
		_, err := h.machine.Host().Do(context.Background(), hosts.TakeLease{Holder: who}, nil)
		return err
	},
	// sticks-at ACTION: the host does not end such an action before the command gives up.
	"sticks-at": func(_ *stage, h *stageHost, kind string) error {
		sticks := func(ctx context.Context, action hosts.Action) {
			if hosts.Describe(action).Kind == kind {
				<-ctx.Done()
			}
		}
		h.when.Store(&sticks)
		return nil
	},
	// fails-at ACTION: the next such action fails.
	"fails-at": func(_ *stage, h *stageHost, kind string) error {
		h.fails.Store(&kind)
		return nil
	},
	// is-well: what was said of the host before ends.
	"is-well": func(_ *stage, h *stageHost, _ string) error {
		h.when.Store(nil)
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
		h.machine.Log("kubelet.service", line)
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
	"has-memory": func(_ *stage, h *stageHost, mebibytes string) error {
		n, err := strconv.Atoi(mebibytes)
		h.machine.Edit(func(f *hosts.Facts) { f.Memory = int64(n) << 20 })
		return err
	},
	// is-unknown: its known_hosts file is empty; its key's fingerprint stands in the file NAME.fingerprint.
	"is-unknown": func(s *stage, h *stageHost, _ string) error {
		return errors.Join(os.WriteFile(h.server.KnownHostsFile, nil, 0o600),
			os.WriteFile(filepath.Join(s.dir, h.name+".fingerprint"), []byte(ssh.FingerprintSHA256(h.server.HostKey())), 0o600))
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
	// calls-its-system NAME: ESC in it is that character.
	"calls-its-system": func(_ *stage, h *stageHost, name string) error {
		h.machine.Edit(func(f *hosts.Facts) { f.OS.Pretty = strings.ReplaceAll(name, "ESC", "\x1b") })
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
	args = append(args, "", "", "")
	h, event := s.hosts[args[0]], hostEvents[args[1]]
	if h == nil || event == nil {
		return fmt.Errorf("host %s %s: there is no such host or event", args[0], args[1])
	}
	return event(s, h, args[2])
}
