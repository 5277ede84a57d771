package workflow

import (
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/slipway-k8s/slipway/certs"
	"github.com/slipway-k8s/slipway/certs/mint"
	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/hosts/hosttest"
	"github.com/slipway-k8s/slipway/phases/checks"
)

// clusters are three whose keys tests have, by a letter: A, B and C.
var clusters = sync.OnceValue(func() map[string]certs.PKI {
	made := map[string]certs.PKI{}
	for _, letter := range []string{"A", "B", "C"} {
		pki, err := mint.PKI("ECDSA-P256", 24*time.Hour, time.Now())
		if err != nil {
			panic(err)
		}
		made[letter] = pki
	}
	return made
})

// idOf is the ID of a cluster by its letter; empty for none.
func idOf(t *testing.T, letter string) string {
	t.Helper()
	if letter == "" {
		return ""
	}
	id, err := certs.ID(clusters()[letter])
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// scene is a state folder, a file and hosts. Clusters are written NAME/LETTER.
type scene struct {
	kept    string            // clusters of the state folder, in the order in which they were made
	id      string            // letter of the file's id
	records map[string]string // what the hosts have noted
	keys    map[string]string // letters of the keys that lie on the hosts
	down    string            // hosts that do not answer
}

func (sc scene) session(t *testing.T) *Session {
	t.Helper()
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	states, err := openStates()
	if err != nil {
		t.Fatal(err)
	}
	for _, kept := range strings.Fields(sc.kept) {
		name, letter, _ := strings.Cut(kept, "/")
		if _, err := states.Create(name, clusters()[letter]); err != nil {
			t.Fatal(err)
		}
	}
	s := newSession(&cluster.Cluster{Name: "try", ID: idOf(t, sc.id)}, &fake{})
	for _, name := range []string{"cp-1", "cp-2", "cp-3", "worker-1"} {
		role := cluster.RoleControlPlane
		if name == "worker-1" {
			role = cluster.RoleWorker
		}
		s.cluster.Hosts = append(s.cluster.Hosts, cluster.Host{Name: name, Roles: []cluster.Role{role}})
	}
	cluster.Defaults(s.cluster)
	for _, h := range s.cluster.Hosts {
		if slices.Contains(strings.Fields(sc.down), h.Name) {
			s.down[h.Name] = errors.New("no route to host")
			continue
		}
		s.hosts[h.Name] = sc.machine(t, h.Name).Host()
	}
	if err := s.observe(context.Background(), func(cluster.Host) hosts.Query { return hosts.Query{} }); err != nil {
		t.Fatal(err)
	}
	return s
}

func (sc scene) machine(t *testing.T, host string) *hosttest.Fake {
	t.Helper()
	machine := hosttest.NewFake(host)
	if name, letter, noted := strings.Cut(sc.records[host], "/"); noted {
		claim := hosts.Claim{Cluster: hosts.Identity{ID: idOf(t, letter), Name: name}}
		if _, err := machine.Host().Do(context.Background(), claim, nil); err != nil {
			t.Fatal(err)
		}
	}
	if letter := sc.keys[host]; letter != "" {
		for _, file := range clusters()[letter].ControlPlaneFiles() {
			machine.PutFile(file.Path, file.Content, file.Mode)
		}
	}
	return machine
}

// all is the same for every host.
func all(value string) map[string]string {
	return map[string]string{"cp-1": value, "cp-2": value, "cp-3": value, "worker-1": value}
}

func only(host, value string) map[string]string { return map[string]string{host: value} }

// TestWhoseKeysAreUsed: a host's record confirms which cluster is meant, and never chooses it.
func TestWhoseKeysAreUsed(t *testing.T) {
	for name, test := range map[string]struct {
		scene
		want    string // the letter of the keys that are used
		none    bool   // there is no such cluster yet
		refused string // what the refusal tells, with letters for short IDs
	}{
		"the cluster of this name, and the hosts say so": {scene: scene{kept: "try/A", records: all("try/A")}, want: "A"},
		"one host of it is up":                           {scene: scene{kept: "try/A", records: all("try/A"), down: "cp-1 cp-2 worker-1"}, want: "A"},
		"bare hosts and a cluster that had this name":    {scene: scene{kept: "try/A"}, none: true},
		"bare hosts and other clusters":                  {scene: scene{kept: "prod/A"}, none: true},
		"a host has another cluster's record, and that is preflight's to refuse": {
			scene: scene{kept: "prod/A", records: only("cp-1", "prod/A")}, none: true},
		"a host claims an ID that is kept under another name": {
			scene: scene{kept: "prod/A", records: only("cp-1", "try/A")}, refused: "cp-1 says that it belongs to the cluster try with the id A, but on this machine that is the cluster prod, not try"},
		"all hosts claim an ID that is kept under another name": {
			scene: scene{kept: "prod/A", records: all("try/A"), keys: all("A")}, refused: "that is the cluster prod"},
		"a host claims an older cluster of the same name": {
			scene: scene{kept: "try/A try/B", records: only("cp-2", "try/A")}, refused: "try means B"},
		"hosts claim a cluster of the same name that nobody here knows": {
			scene: scene{kept: "try/A", records: all("try/C"), keys: all("C")}, refused: "try means A"},
		"hosts claim different ones": {
			scene: scene{kept: "try/A", records: map[string]string{"cp-1": "try/A", "cp-2": "try/B"}}, refused: "cp-1 to A; cp-2 to B"},

		"the file's id chooses among those of one name": {scene: scene{kept: "try/A try/B", id: "A", records: all("try/A")}, want: "A"},
		"the file's id is kept under another name":      {scene: scene{kept: "prod/A", id: "A", records: all("try/A")}, want: "A"},
		"the file's id, and bare hosts":                 {scene: scene{kept: "try/A", id: "A"}, want: "A"},
		"the file's id, and hosts that say otherwise":   {scene: scene{kept: "try/A try/B", id: "A", records: only("cp-1", "try/B")}, refused: "the file says id: A, but hosts say that they belong: cp-1 to B"},
		"the file's id, and nobody knows it":            {scene: scene{id: "A"}, none: true},

		"a machine without a state folder":                  {scene: scene{records: all("try/A"), keys: only("cp-2", "A")}, want: "A"},
		"the same, one control plane is down":               {scene: scene{records: all("try/A"), keys: all("A"), down: "cp-3"}, want: "A"},
		"the same, most control planes are down":            {scene: scene{records: all("try/A"), keys: all("A"), down: "cp-2 cp-3"}, none: true, refused: "only 1 of the file's 3 control planes"},
		"the same, and the file has the id":                 {scene: scene{id: "A", records: all("try/A"), keys: all("A"), down: "cp-2 cp-3"}, want: "A"},
		"a copy of a control plane among bare hosts":        {scene: scene{records: only("cp-2", "try/A"), keys: only("cp-2", "A")}, none: true, refused: "only 1 of the file's 3 control planes"},
		"most say so, but the keys are another cluster's":   {scene: scene{records: all("try/A"), keys: all("B")}, none: true},
		"the keys of what is meant lie on a bare host only": {scene: scene{records: map[string]string{"cp-1": "try/A", "cp-2": "try/A"}, keys: only("cp-3", "A")}, none: true},
	} {
		t.Run(name, func(t *testing.T) {
			s := test.session(t)
			before := folders(t)
			err := s.findKeys(context.Background())
			if test.want != "" {
				if err != nil || s.keys.identity(s.cluster).ID != idOf(t, test.want) {
					t.Errorf("want the keys of %s, got %v, %v", test.want, s.keys, err)
				}
				return
			}
			if err == nil || s.keys != nil {
				t.Fatalf("keys of %s are used", s.keys.identity(s.cluster).ID)
			}
			if errors.Is(err, errNoKeys) != test.none {
				t.Errorf("there is no such cluster: want %v, got %v", test.none, err)
			}
			if test.refused != "" && strings.Contains(err.Error(), errNoKeys.Error()) {
				t.Errorf("hosts that have noted the cluster are told to have not: %v", err)
			}
			var refused *checks.Refused
			if !test.none && !errors.As(err, &refused) {
				t.Errorf("it is no refusal: %v", err)
			}
			if got := lettered(t, err.Error()); !strings.Contains(got, test.refused) {
				t.Errorf("got  %s\nwant %s", got, test.refused)
			}
			if after := folders(t); !maps.Equal(before, after) {
				t.Errorf("the state folder was %v and is %v", before, after)
			}
		})
	}
}

// lettered writes letters for short IDs.
func lettered(t *testing.T, text string) string {
	t.Helper()
	for letter := range clusters() {
		text = strings.ReplaceAll(text, idOf(t, letter), letter)
		text = strings.ReplaceAll(text, certs.ShortID(idOf(t, letter)), letter)
	}
	return text
}

// folders are what the state folder holds and what names mean there.
func folders(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	root := filepath.Join(os.Getenv("XDG_STATE_HOME"), "slipway")
	entries, err := os.ReadDir(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		found[entry.Name()] = ""
	}
	names, err := filepath.Glob(filepath.Join(root, "current", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		id, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		found[name] = string(id)
	}
	return found
}

// TestNoKeysAreMintedBesideAClaim: a new cluster is made only where nothing says that there
// is one already.
func TestNoKeysAreMintedBesideAClaim(t *testing.T) {
	for name, test := range map[string]struct {
		scene
		minted bool
	}{
		"bare hosts":                          {minted: true},
		"bare hosts, the name was had before": {scene: scene{kept: "try/A"}, minted: true},
		"another cluster's record":            {scene: scene{kept: "prod/A", records: only("cp-1", "prod/A")}, minted: true}, // and then refused by preflight
		"another name's keys are claimed":     {scene: scene{kept: "prod/A", records: only("cp-1", "try/A")}},
		"one host claims an unknown cluster":  {scene: scene{records: only("cp-1", "try/A"), keys: only("cp-1", "A")}},
		"all claim one whose keys are gone":   {scene: scene{records: all("try/A")}},
		"the file has an id that is unknown":  {scene: scene{id: "A"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := test.session(t)
			err := s.settleKeys(context.Background(), run(Init))
			if minted := err == nil && s.keys != nil && s.keys.folder == nil; minted != test.minted {
				t.Errorf("keys were minted: %v, want %v (%v)", minted, test.minted, err)
			}
		})
	}
}

// TestKeysAreReadBackFromThoseWhoAreOnTheirWay: a machine that knows nothing of the cluster
// needs most control planes to say whose they are, and connects to each but once.
func TestKeysAreReadBackFromThoseWhoAreOnTheirWay(t *testing.T) {
	sc := scene{records: all("try/A"), keys: all("A")}
	s := sc.session(t)
	clear(s.hosts)
	clear(s.facts)
	s.dial = func(_ context.Context, h cluster.Host, _ func(string)) (hosts.Host, error) {
		return sc.machine(t, h.Name).Host(), nil
	}
	if err := s.ConnectAPI(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if got := s.keys.identity(s.cluster).ID; got != idOf(t, "A") || len(s.down) > 0 || len(s.hosts) < 2 {
		t.Errorf("the keys are those of %s; reached %d hosts, and not %v", got, len(s.hosts), s.down)
	}
}

// TestOneSickControlPlaneKeepsNobodyFromTheKeys that the others have; where no other has them,
// they are not said not to be there.
func TestOneSickControlPlaneKeepsNobodyFromTheKeys(t *testing.T) {
	sick := &hosts.Error{Kind: hosts.KindStuck, Host: "cp-1", Op: "look at the host", Err: errors.New("no answer in 1m0s")}
	for name, test := range map[string]struct {
		keys map[string]string
		want bool
	}{
		"all have them":     {all("A"), true},
		"one more has them": {map[string]string{"cp-1": "A", "cp-3": "A"}, true},
		"no other has them": {only("cp-1", "A"), false},
	} {
		t.Run(name, func(t *testing.T) {
			sc := scene{records: all("try/A"), keys: test.keys}
			s := sc.session(t)
			clear(s.hosts)
			clear(s.facts)
			s.dial = func(_ context.Context, h cluster.Host, _ func(string)) (hosts.Host, error) {
				host := sc.machine(t, h.Name).Host()
				if h.Name == "cp-1" {
					return secretive{host, sick, new(int)}, nil
				}
				return host, nil
			}
			err := s.ConnectAPI(t.Context())
			defer s.Close()
			if found := err == nil && s.keys.identity(s.cluster).ID == idOf(t, "A"); found != test.want {
				t.Errorf("the keys are found: %v, want %v: %v", found, test.want, err)
			}
			if !test.want && (!errors.Is(err, sick) || errors.Is(err, errNoKeys)) {
				t.Errorf("it is told: %v", err)
			}
		})
	}
}

// TestKeysOnADiskThatDoesNotAnswerMayBeThere: what holds them is not said to hold none, and no
// workflow goes on as without them.
func TestKeysOnADiskThatDoesNotAnswerMayBeThere(t *testing.T) {
	for name, workflow := range map[string]*Run{
		"init": run(Init), "join": run(Join), "reset": run(Reset), "reset by force": forced(Reset),
	} {
		t.Run(name, func(t *testing.T) {
			sc := scene{records: all("try/A"), keys: only("cp-1", "A")}
			s, machine := sc.session(t), sc.machine(t, "cp-1")
			machine.Stick("/etc/kubernetes")
			s.hosts["cp-1"] = machine.Host()
			err := s.settleKeys(t.Context(), workflow)
			if err == nil || errors.Is(err, errNoKeys) || s.keys != nil {
				t.Fatalf("keys: %v, error: %v", s.keys, err)
			}
			if want := "on cp-1: contents: no answer at /etc/kubernetes/"; !strings.Contains(err.Error(), want) {
				t.Errorf("want %q, got %v", want, err)
			}
		})
	}
	sc := scene{records: all("try/A"), keys: all("A")}
	s, machine := sc.session(t), sc.machine(t, "cp-1")
	machine.Stick("/etc/kubernetes")
	s.hosts["cp-1"] = machine.Host()
	if err := s.findKeys(t.Context()); err != nil || s.keys.identity(s.cluster).ID != idOf(t, "A") {
		t.Errorf("another has them, and they are not found: %v", err)
	}
}

// TestWhoIsWaitedForWhereTheKeysAreNotFound: only where another control plane may have them.
func TestWhoIsWaitedForWhereTheKeysAreNotFound(t *testing.T) {
	damage := func(file string) func(*testing.T) {
		return func(t *testing.T) {
			found, err := filepath.Glob(filepath.Join(os.Getenv("XDG_STATE_HOME"), "slipway", "try-*", file))
			if err != nil || len(found) != 1 {
				t.Fatalf("%s: %v, %v", file, found, err)
			}
			if err := os.WriteFile(found[0], []byte("damaged"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	const late = time.Minute
	for name, test := range map[string]struct {
		scene
		damage func(*testing.T)
		waits  bool
		asked  int // how often the sick one is asked for its keys
	}{
		"a control plane is sick":         {scene: scene{records: all("try/A"), keys: all("A")}, waits: true, asked: 1},
		"only the last one has them":      {scene: scene{records: all("try/A"), keys: only("cp-3", "A")}, waits: true, asked: 1},
		"the state folder is damaged":     {scene: scene{kept: "try/A", records: all("try/A")}, damage: damage("cluster")},
		"the keys in it are damaged":      {scene: scene{kept: "try/A", records: all("try/A")}, damage: damage("pki/ca.key")},
		"the hosts are another cluster's": {scene: scene{kept: "try/B", records: all("try/A")}},
	} {
		t.Run(name, func(t *testing.T) {
			s := test.session(t)
			clear(s.hosts)
			clear(s.facts)
			if test.damage != nil {
				test.damage(t)
			}
			asked := 0
			synctest.Test(t, func(t *testing.T) {
				s.dial = func(ctx context.Context, h cluster.Host, _ func(string)) (hosts.Host, error) {
					host := test.machine(t, h.Name).Host()
					switch h.Name {
					case "cp-1":
						return secretive{host, errors.New("it is sick"), &asked}, nil
					case "cp-2":
						return secretive{host, errors.New("it is sick as well"), new(int)}, nil
					}
					return host, hosts.Pause(ctx, late)
				}
				began := time.Now()
				err := s.ConnectAPI(t.Context())
				if took := time.Since(began); (took >= late) != test.waits || (err == nil) != test.waits {
					t.Errorf("it took %s: %v", took, err)
				}
				s.Close()
				time.Sleep(time.Hour) // of the bubble's clock
			})
			if asked != test.asked {
				t.Errorf("the sick one was asked %d times, want %d", asked, test.asked)
			}
		})
	}
}

// secretive is a host that does not give its keys.
type secretive struct {
	hosts.Host
	err   error
	asked *int // how often it was asked for them
}

func (s secretive) Observe(ctx context.Context, query hosts.Query) (hosts.Facts, error) {
	if len(query.Secrets) > 0 {
		*s.asked++
		return hosts.Facts{}, s.err
	}
	return s.Host.Observe(ctx, query)
}
