package tui

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/charmbracelet/x/ansi"
	"github.com/muesli/termenv"

	"github.com/slipway-k8s/slipway/bundle"
	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/cmd/slipway/tui/text"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/checks"
	"github.com/slipway-k8s/slipway/phases/engine/api"
	"github.com/slipway-k8s/slipway/phases/forecast"
	"github.com/slipway-k8s/slipway/phases/plan"
	"github.com/slipway-k8s/slipway/workflow"
)

var update = flag.Bool("update", false, "write the golden frames anew")

// at is the moment in which all frames are drawn.
var at = time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)

// onPaper is what all screens share, without a terminal and without hosts.
func onPaper(t testing.TB, terminal Terminal, lang text.Language) *shared {
	return &shared{
		ctx: context.Background(), theme: newTheme(terminal), lang: lang, send: func(tea.Msg) {}, work: &sync.WaitGroup{},
		options: Options{
			File: filepath.Join(t.TempDir(), "ha.yaml"),
			Line: func(e plan.Event) string {
				if e.Type == plan.EventStepFinished {
					return "✓ " + e.Step
				}
				return ""
			},
			Promise: func(r api.SmokeResult) string { return r.Promise }, Trial: func(workflow.Trial) string { return "" },
			Forecast:  func(f forecast.Forecast) string { return fmt.Sprintf("%d hosts are drained", len(f.Hosts)) },
			Explain:   func(err error, _ bool) string { return err.Error() },
			HostNames: func(string) []string { return []string{"cp-1", "cp-2", "cp-3", "worker-1"} },
		},
	}
}

var machine = hosts.Facts{
	Hostname: "cp-1", OS: hosts.OS{Pretty: "Debian GNU/Linux 12 (bookworm)"}, Arch: "amd64", Kernel: "6.1.0-32-amd64", CPUs: 4, Memory: 8 << 30, User: "root",
	Cgroup: hosts.Cgroup{Version: 2}, Systemd: hosts.Systemd{Version: 252, State: "running"}, Disks: []hosts.Disk{{Path: "/", Free: 40e9, Size: 60e9}},
	Interfaces: []hosts.Link{{Name: "eth0", Up: true, Addresses: []string{"192.0.2.11/24"}}},
}

const fileOnPaper = `# Our production.
apiVersion: slipway.dev/v1alpha1
kind: Cluster
name: ha
endpoint:
  host: 192.0.2.100 # asked for at the network's office
hosts:
  - {name: cp-1, address: 192.0.2.11, roles: [control-plane]}
  - {name: cp-2, address: 192.0.2.12, roles: [control-plane]}
  - {name: cp-3, address: 192.0.2.13, roles: [control-plane]}
  - {name: worker-1, address: 192.0.2.21, roles: [worker]}
`

// installerOnPaper is the installer with such a file, and its hosts in all states.
func installerOnPaper(t testing.TB, s *shared, file string) *installer {
	if file != "" {
		if err := os.WriteFile(s.options.File, []byte(file), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	in, err := newInstaller(s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(in.probe.Close)
	s.options.File = "ha.yaml"
	states := []look{
		{state: lookWell, facts: machine},
		{state: lookKey, key: &workflow.HostKey{Type: "ssh-ed25519", Fingerprint: "SHA256:meaR9OceZ+lAXBXzNiRdZ/hiVI1PsXOthmLHtRtpyAB", File: "/home/me/.ssh/known_hosts"}, err: errors.New("its key is not known")},
		{state: lookFailed, err: &hosts.Error{Kind: hosts.KindAuth, Host: "cp-3", Op: "connect to cp-3", Err: errors.New("the host refused every key \x1b[2J"), Fix: "ssh-copy-id root@192.0.2.13"}},
		{state: lookTries, what: "logging in"},
	}
	for i, h := range in.draft.Hosts {
		one := states[i%len(states)]
		one.tried = h
		in.looks[h.Name] = &one
	}
	return in
}

// planOnPaper is a small plan for four hosts.
func planOnPaper() plan.Plan {
	p := plan.Plan{Workflow: "init", Cluster: hosts.Identity{Name: "ha"}, Warnings: []string{"cp-2: EtcdDisk: 99 of 100 writes to the disk below /var/lib/etcd take up to 31 ms"}}
	for _, host := range []string{"cp-1", "cp-2", "cp-3", "worker-1"} {
		for _, one := range []struct{ phase, thing string }{{"prepare", "swap"}, {"containerd", "containerd.service"}, {"kubelet", "kubelet.service"}} {
			p.Steps = append(p.Steps, plan.Step{
				ID: host + "/" + one.phase + "/" + one.thing, Phase: plan.Phase(one.phase), Host: host, Lane: plan.LaneWork, Change: plan.Update, Why: "the kubelet needs it",
				Action: hosts.SetUnit{},
			})
		}
	}
	p.Steps = append(p.Steps, plan.Step{ID: "cluster/addon/coredns", Phase: plan.PhaseAddonCoreDNS, Lane: plan.LaneWork, Change: plan.Create, After: []plan.Dependency{plan.All("cp-1/kubelet/kubelet.service", "cp-2/kubelet/kubelet.service")}, Why: "Pods find Services by name", Cluster: plan.Apply{}})
	return p
}

// jobOnPaper is a job's screen that was told these things.
func jobOnPaper(s *shared, tell ...func(*job)) *jobScreen {
	j := newJobScreen(s, task{file: "ha.yaml", bundle: "bundle.tar", workflow: workflow.Init})
	j.started = true
	j.job = newJob(s.options, func() {})
	j.job.began = at
	j.job.cancel = func() {}
	for _, one := range tell {
		one(j.job)
	}
	j.follow()
	j.clockAt = func() time.Time { return at.Add(95 * time.Second) }
	return j
}

func planned(j *job) { _ = j.Plan(workflow.Prepared{Plan: planOnPaper()}); j.left = nil }

func asked(j *job) { j.question = &question{text: "Apply this plan?", answer: make(chan bool, 1)} }

func ran(j *job) {
	tell := func(kind plan.EventType, id string, more plan.Event) {
		host, _, _ := strings.Cut(id, "/")
		if host == "cluster" {
			host = ""
		}
		more.Type, more.Step, more.Host, more.Time = kind, id, host, at.Add(60*time.Second)
		j.Event(more)
	}
	for _, id := range []string{"cp-1/prepare/swap", "cp-1/containerd/containerd.service", "cp-2/prepare/swap", "worker-1/prepare/swap"} {
		tell(plan.EventStepStarted, id, plan.Event{})
		tell(plan.EventStepFinished, id, plan.Event{Seconds: 1.5, Detail: "written"})
	}
	tell(plan.EventStepStarted, "cp-1/kubelet/kubelet.service", plan.Event{})
	tell(plan.EventStepProgress, "cp-1/kubelet/kubelet.service", plan.Event{Detail: "the container runtime is not ready", Fix: "journalctl -u containerd"})
	tell(plan.EventStepStarted, "cp-2/containerd/containerd.service", plan.Event{})
	tell(plan.EventStepProgress, "cp-2/containerd/containerd.service", plan.Event{Progress: &hosts.Progress{Done: 30, Total: 100}})
	tell(plan.EventStepStarted, "cp-3/prepare/swap", plan.Event{})
	tell(plan.EventStepFailed, "cp-3/prepare/swap", plan.Event{Error: "swapoff /dev/sdb: \x1b]0;owned\x07 cannot allocate memory", Fix: "free memory on cp-3"})
	for i := range j.log.lines {
		j.log.lines[i].at = at
	}
}

func failed(j *job) { j.ended, j.err = at.Add(120*time.Second), errors.New("1 step failed") }

func examined(j *job) {
	j.Preflight(workflow.Preflight{Results: []checks.Result{
		{Check: "Machine", Host: "cp-1", Outcome: checks.OK}, {Check: "Machine", Host: "cp-2", Outcome: checks.OK}, {Check: "Machine", Host: "worker-1", Outcome: checks.NotAsked, NotAsked: "the host was not looked at"},
		{Check: "Swap", Host: "cp-1", Outcome: checks.OK},
		{Check: "Swap", Host: "cp-2", Outcome: checks.Stops, Findings: []checks.Finding{{Check: "Swap", Host: "cp-2", Severity: checks.Error, Seen: "swap is on: /dev/sdb", Fix: "swapoff -a, and take it out of /etc/fstab"}}},
		{Check: "EtcdDisk", Host: "cp-1", Outcome: checks.Warned, Findings: []checks.Finding{{Check: "EtcdDisk", Host: "cp-1", Severity: checks.Warning, Seen: "99 of 100 writes take up to 31 ms"}}},
		{Check: "EtcdMemberCount", Outcome: checks.OK},
	}})
}

func refused(j *job) {
	j.ended, j.err = at.Add(time.Second), &checks.Refused{Findings: []checks.Finding{{Check: "Swap", Host: "cp-2", Severity: checks.Error, Seen: "swap is on", Fix: "swapoff -a"}}}
}

// boardOnPaper is a dashboard of a cluster with some trouble.
func boardOnPaper(s *shared) *dashboard {
	d := newDashboard(s, "ha.yaml")
	p := &workflow.Picture{Status: workflow.Status{
		Cluster: "ha", ID: "ab12", Endpoint: "192.0.2.100:16443", Reachable: true, Version: "v1.37.2", VirtualAddress: "192.0.2.100", Holders: []string{"cp-2"},
		Members: []hosts.Member{{Name: "cp-1", Healthy: true}, {Name: "cp-2", Healthy: true, Leader: true, Version: "3.7.3", Size: 4 << 20}},
		Health:  []hosts.Health{{Host: "cp-1", Component: "kube-apiserver", Healthy: true}, {Host: "cp-1", Component: "kube-scheduler", Detail: "connection refused"}},
	}}
	unit := func(name, active string) workflow.UnitStatus { return workflow.UnitStatus{Name: name, Active: active} }
	p.Hosts = []workflow.HostStatus{
		{Name: "cp-1", Address: "192.0.2.11", Roles: []cluster.Role{cluster.RoleControlPlane}, Connection: "ok", ConnectionKind: "ok", OS: machine.OS.Pretty, Kubelet: "v1.37.2", Units: []workflow.UnitStatus{unit("kubelet.service", "active"), unit("containerd.service", "failed")}},
		{Name: "cp-2", Address: "192.0.2.12", Roles: []cluster.Role{cluster.RoleControlPlane}, Connection: "ok", ConnectionKind: "ok", Kubelet: "v1.37.2", Units: []workflow.UnitStatus{unit("kubelet.service", "active")}},
		{Name: "worker-1", Address: "192.0.2.21", Roles: []cluster.Role{cluster.RoleWorker}, Connection: "no route to host", ConnectionKind: "unreachable"},
	}
	p.Details = []workflow.HostDetails{{
		Name: "cp-1", Kernel: machine.Kernel, CPUs: 4, Load: []float64{0.5, 0.4, 0.3}, Memory: 8 << 30, Free: 5 << 30, Disks: machine.Disks, Restarts: []workflow.Restarts{{Unit: "containerd.service", Times: 3}},
		Lease: &hosts.LeaseHolder{Holder: "eve@desk, process 7"}, Record: &workflow.RecordSummary{Cluster: hosts.Identity{Name: "ha"}, Paths: 90, Units: 4, Images: 8, Settings: 6},
		Certificates: []workflow.CertificateLife{{Path: "/etc/kubernetes/pki/apiserver.crt", Ends: at, Days: 12}, {Path: "/etc/kubernetes/admin.conf", Ends: at.Add(time.Hour), Days: 300}},
	}}
	p.Live = hosts.Live{
		Connected: true, Version: "v1.37.2", Pods: 24, UnwellPods: 1,
		Nodes:    []hosts.LiveNode{{Name: "cp-1", Ready: true, Version: "v1.37.2", Pods: 8}, {Name: "cp-2", Ready: true, Cordoned: true, Version: "v1.37.2", Pods: 6}, {Name: "worker-1", Reason: "Kubelet stopped posting node status.", Version: "v1.37.2"}},
		Unwell:   []hosts.UnwellPod{{Namespace: "shop", Name: "cart-7d9-x2", Node: "worker-1", Reason: "CrashLoopBackOff", Message: "back-off 5m0s restarting failed container", Restarts: 12}},
		Warnings: []hosts.Warning{{Time: at, Object: "Pod shop/cart-7d9-x2", Reason: "BackOff", Message: "Back-off restarting failed container", Count: 40}},
	}
	d.board = &board{picture: p, stop: func() {}}
	return d
}

// changed is such a dashboard with something else.
func changed(s *shared, change func(*workflow.Picture)) *dashboard {
	d := boardOnPaper(s)
	change(d.board.picture)
	return d
}

// waited: one host has answered, two have not.
func waited(p *workflow.Picture) {
	p.Status.ID, p.Reachable, p.Version, p.Members, p.Health, p.Holders, p.Live, p.Details = "", false, "", nil, nil, nil, hosts.Live{}, nil
	p.Cause = "waiting for the hosts"
	for i, h := range p.Hosts {
		p.Hosts[i] = workflow.HostStatus{Name: h.Name, Address: h.Address, Roles: h.Roles, Node: workflow.NodeUnknown, Connection: "no answer yet", ConnectionKind: "waiting"}
	}
	p.Hosts[0].Connection, p.Hosts[0].ConnectionKind = workflow.ConnectionOK, workflow.ConnectionOK
}

// bare: all have answered, and have no record.
func bare(p *workflow.Picture) {
	waited(p)
	p.Cause = "no host belongs to a cluster called ha"
	for i := range p.Hosts {
		p.Hosts[i].Connection, p.Hosts[i].ConnectionKind = workflow.ConnectionOK, workflow.ConnectionOK
	}
}

// half is what an init has left that was killed.
func half(p *workflow.Picture) {
	bare(p)
	refused := "connect: connection refused"
	p.Status.ID, p.Cause = "ab12", "the API server on cp-1: "+refused+"; the API server on cp-2: "+refused
	p.Live.Cause = p.Cause
	p.MembersCause = "reach etcd on cp-1 (192.0.2.11:2379): " + refused + "; reach etcd on cp-2 (192.0.2.12:2379): " + refused
	p.Details = []workflow.HostDetails{{Name: "cp-1", Record: &workflow.RecordSummary{Cluster: hosts.Identity{Name: "ha"}, Paths: 3}}}
	p.Health = nil
	for _, host := range []string{"cp-1", "cp-2"} {
		for _, component := range []string{"kube-apiserver", "kube-controller-manager", "kube-scheduler"} {
			p.Health = append(p.Health, hosts.Health{Host: host, Component: component, Detail: "connect to " + host + " (192.0.2.1:6443): " + refused})
		}
	}
}

// lost is a cluster whose etcd is down, and whose API was seen before.
func lost(p *workflow.Picture) {
	nodes, details := p.Live.Nodes, p.Details
	half(p)
	p.Live.Nodes, p.Live.Version, p.Details = nodes, "v1.37.2", details
}

// wordy has long texts everywhere, and more than a small screen has room for.
func wordy(p *workflow.Picture) {
	long := strings.Repeat("something long that is to be read to its end, ", 4) + "END"
	for i := range p.Health {
		p.Health[i].Healthy, p.Health[i].Detail = false, long
	}
	for i := range p.Members {
		p.Members[i].Healthy, p.Members[i].Detail, p.Members[i].Version = false, long, "3.7.3"
	}
	p.Live.Nodes[0].Cordoned, p.Live.Nodes[0].Pressures = true, []string{"MemoryPressure", "DiskPressure"}
	p.Details[0].Load = []float64{22.96, 12.60, 8.52}
}

// journalOnPaper is a unit's journal with these lines.
func journalOnPaper(s *shared, lines ...string) *journalScreen {
	j := newJournalScreen(s, "ha.yaml", "cp-1", "kubelet.service")
	j.stop = func() {}
	j.add(lines)
	return j
}

// framesOnPaper are the screens whose frames are golden.
var framesOnPaper = []struct {
	name string
	open func(t testing.TB, s *shared) screen
	keys []string
}{
	{"hosts-none", func(t testing.TB, s *shared) screen { return newHostsScreen(installerOnPaper(t, s, "")) }, nil},
	{"hosts", func(t testing.TB, s *shared) screen { return newHostsScreen(installerOnPaper(t, s, fileOnPaper)) }, []string{"down"}},
	{"host", func(t testing.TB, s *shared) screen {
		return newHostScreen(installerOnPaper(t, s, fileOnPaper), "cp-1")
	}, nil},
	{"host-failed", func(t testing.TB, s *shared) screen {
		return newHostScreen(installerOnPaper(t, s, fileOnPaper), "cp-3")
	}, nil},
	{"host-keys", func(t testing.TB, s *shared) screen { return newTrustScreen(installerOnPaper(t, s, fileOnPaper)) }, nil},
	{"endpoint", func(t testing.TB, s *shared) screen { return newEndpointScreen(installerOnPaper(t, s, fileOnPaper)) }, nil},
	{"endpoint-mode", func(t testing.TB, s *shared) screen { return newEndpointScreen(installerOnPaper(t, s, fileOnPaper)) }, []string{"enter", "down"}},
	{"network", func(t testing.TB, s *shared) screen { return newNetworkScreen(installerOnPaper(t, s, fileOnPaper)) }, []string{"down"}},
	{"bundle", func(t testing.TB, s *shared) screen {
		b := newBundleScreen(installerOnPaper(t, s, fileOnPaper))
		b.looked, b.found = true, []workflow.FoundBundle{
			{Path: "dist/bundle.tar", Size: 98e6, Digest: "sha256:749e392ce7e4e0b633d6787a3c2d86144a5f75723ed51f2691ed464fdd5cb8c4", Signature: "nobody has signed it", Bill: bundle.Bill{KubernetesVersion: "v1.37.2", Platform: bundle.Platform{OS: "linux", Arch: "amd64"}, Sets: []bundle.FileSet{{Name: "node", Layers: []bundle.Blob{{Size: 31e6}}}}}},
			{Path: "old.tar", Size: 90e6, Err: errors.New("it is too old")},
		}
		return b
	}, nil},
	{"file", func(t testing.TB, s *shared) screen {
		in := installerOnPaper(t, s, fileOnPaper)
		if err := in.edit(func(e *cluster.Editor) error { return e.Set("endpoint.port", 8443) }); err != nil {
			t.Fatal(err)
		}
		return newFileScreen(in)
	}, nil},
	{"looking", func(t testing.TB, s *shared) screen {
		return jobOnPaper(s, func(j *job) {
			j.Event(plan.Event{Type: plan.EventStageStarted, Stage: workflow.StageConnect, Host: "cp-2", Detail: "logging in", Time: at.Add(90 * time.Second)})
		})
	}, nil},
	{"checks", func(t testing.TB, s *shared) screen { return jobOnPaper(s, examined, refused) }, nil},
	{"plan", func(t testing.TB, s *shared) screen { return jobOnPaper(s, examined, planned, asked) }, []string{"enter", "down", "enter", "down"}},
	{"plan-search", func(t testing.TB, s *shared) screen { return jobOnPaper(s, planned, asked) }, []string{"/", "d", "n", "s"}},
	{"run", func(t testing.TB, s *shared) screen { return jobOnPaper(s, planned, ran) }, nil},
	{"log", func(t testing.TB, s *shared) screen { return jobOnPaper(s, planned, ran) }, []string{"5"}},
	{"end", func(t testing.TB, s *shared) screen { return jobOnPaper(s, planned, ran, failed) }, nil},
	{"step", func(t testing.TB, s *shared) screen {
		return newStepScreen(&jobOnPaper(s, planned, ran).jobView, "cp-3/prepare/swap")
	}, nil},
	{"done", func(t testing.TB, s *shared) screen {
		d := newDoneScreen(s, "ha.yaml")
		d.board = boardOnPaper(s).board
		return d
	}, nil},
	{"dashboard", func(t testing.TB, s *shared) screen { return boardOnPaper(s) }, nil},
	{"dashboard-waiting", func(t testing.TB, s *shared) screen { return changed(s, waited) }, []string{"down"}},
	{"dashboard-none", func(t testing.TB, s *shared) screen { return changed(s, bare) }, nil},
	{"dashboard-interrupted", func(t testing.TB, s *shared) screen { return changed(s, half) }, nil},
	{"dashboard-interrupted-pods", func(t testing.TB, s *shared) screen { return changed(s, half) }, []string{"2", "enter"}},
	{"dashboard-lost", func(t testing.TB, s *shared) screen { return changed(s, lost) }, nil},
	{"dashboard-lost-components", func(t testing.TB, s *shared) screen { return changed(s, lost) }, []string{"4"}},
	{"dashboard-components-end", func(t testing.TB, s *shared) screen { return changed(s, wordy) }, []string{"4", "end"}},
	{"dashboard-host-end", func(t testing.TB, s *shared) screen {
		return newHostPage(s, changed(s, wordy).board, "ha.yaml", "cp-1")
	}, []string{"end"}},
	{"dashboard-host-down", func(t testing.TB, s *shared) screen {
		return newHostPage(s, changed(s, wordy).board, "ha.yaml", "cp-1")
	}, []string{"down", "down", "down"}},
	{"dashboard-host-waiting", func(t testing.TB, s *shared) screen {
		return newHostPage(s, changed(s, waited).board, "ha.yaml", "cp-2")
	}, nil},
	{"journal-empty", func(t testing.TB, s *shared) screen { return journalOnPaper(s) }, nil},
	{"journal", func(t testing.TB, s *shared) screen {
		return journalOnPaper(s, `2026-12-01T12:00:00+00:00 kubelet[812]: I1201 12:00:00.123456     812 kubelet.go:42] "Starting" version="v1.37.2" and much more that does not stand on one line of a small terminal to its END`,
			"2026-12-01T12:00:01+00:00 kubelet[812]: \x1b]0;owned\x07 evil")
	}, nil},
	{"dashboard-pods", func(t testing.TB, s *shared) screen { return boardOnPaper(s) }, []string{"2"}},
	{"dashboard-events", func(t testing.TB, s *shared) screen { return boardOnPaper(s) }, []string{"3"}},
	{"dashboard-components", func(t testing.TB, s *shared) screen { return boardOnPaper(s) }, []string{"4"}},
	{"dashboard-certificates", func(t testing.TB, s *shared) screen { return boardOnPaper(s) }, []string{"5"}},
	{"dashboard-host", func(t testing.TB, s *shared) screen { return newHostPage(s, boardOnPaper(s).board, "ha.yaml", "cp-1") }, nil},
	{"actions", func(t testing.TB, s *shared) screen { return newActionsScreen(s, "ha.yaml", nil) }, []string{"down", "down"}},
	{"drain", func(t testing.TB, s *shared) screen {
		return newRequestScreen(s, "ha.yaml", workflow.Drain, []string{"worker-1"})
	}, []string{"down", "down"}},
	{"help", func(t testing.TB, s *shared) screen { return boardOnPaper(s) }, []string{"?"}},
	{"leave", func(t testing.TB, s *shared) screen {
		return newChoiceScreen(s, words(text.LeaveTitle), words(text.LeaveUnsaved, "ha.yaml"), option{label: words(text.LeaveWrite)}, option{label: words(text.LeaveStay)})
	}, nil},
}

var keyTypes = map[string]tea.KeyType{"up": tea.KeyUp, "down": tea.KeyDown, "left": tea.KeyLeft, "right": tea.KeyRight, "enter": tea.KeyEnter, "esc": tea.KeyEsc, "tab": tea.KeyTab, "home": tea.KeyHome, "end": tea.KeyEnd, "pgup": tea.KeyPgUp, "pgdown": tea.KeyPgDown, "f1": tea.KeyF1, "f2": tea.KeyF2, "ctrl+c": tea.KeyCtrlC, "space": tea.KeySpace, "backspace": tea.KeyBackspace}

func keyOf(name string) tea.KeyMsg {
	if kind, named := keyTypes[name]; named {
		return tea.KeyMsg{Type: kind}
	}
	return tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune(name)}
}

// frame draws a screen, once these keys were pressed.
func frame(t testing.TB, s *shared, open func(testing.TB, *shared) screen, keys []string, columns, lines int) string {
	a := newApp(s, open(t, s))
	a.Update(tea.WindowSizeMsg{Width: columns, Height: lines})
	a.View() // keys go by what is seen
	for _, name := range keys {
		a.Update(keyOf(name))
	}
	return a.View()
}

// TestFrames: each screen is as it was looked at and found good, in every size and language; no line is wider than the
// terminal, none is lost, and without colour it says the same.
func TestFrames(t *testing.T) {
	t.Setenv("TZ", "UTC")
	sizes := [][2]int{{80, 24}, {120, 40}}
	for _, one := range framesOnPaper {
		for _, size := range sizes {
			for lang, name := range []string{"en", "zh"} {
				title := fmt.Sprintf("%s-%dx%d-%s", one.name, size[0], size[1], name)
				t.Run(title, func(t *testing.T) {
					coloured := frame(t, onPaper(t, Terminal{Profile: termenv.ANSI256, Dark: true}, text.Language(lang)), one.open, one.keys, size[0], size[1])
					plain := frame(t, onPaper(t, Terminal{Profile: termenv.Ascii}, text.Language(lang)), one.open, one.keys, size[0], size[1])
					if stripped := ansi.Strip(coloured); stripped != plain {
						t.Errorf("with colour it says:\n%s\nand without:\n%s", stripped, plain)
					}
					lines := strings.Split(plain, "\n")
					if len(lines) != size[1] {
						t.Errorf("%d lines on a terminal of %d", len(lines), size[1])
					}
					for i, line := range lines {
						if w := ansi.StringWidth(line); w > size[0] {
							t.Errorf("line %d has %d columns: %s", i+1, w, line)
						}
						lines[i] = strings.TrimRight(line, " ")
					}
					golden(t, filepath.Join("testdata", "frames", title+".txt"), strings.Join(lines, "\n")+"\n")
				})
			}
		}
	}
}

func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s is no longer as it was; it is:\n%s", path, got)
	}
}

// TestConsoleFrames: a terminal with few characters is sent no others, in English.
func TestConsoleFrames(t *testing.T) {
	for _, one := range framesOnPaper {
		shown := frame(t, onPaper(t, Terminal{ASCII: true}, text.English), one.open, one.keys, 80, 24)
		for _, r := range shown {
			if r > '~' {
				t.Errorf("%s: %q is not ASCII, in:\n%s", one.name, r, shown)
				break
			}
		}
	}
}

// TestNothingSteersTheTerminal: what hosts have said is shown by its codes.
func TestNothingSteersTheTerminal(t *testing.T) {
	for _, one := range framesOnPaper {
		shown := frame(t, onPaper(t, Terminal{Profile: termenv.TrueColor}, text.English), one.open, one.keys, 120, 40)
		rest := rendition.ReplaceAllString(shown, "")
		if i := strings.IndexFunc(rest, func(r rune) bool { return r < ' ' && r != '\n' || r == 0x7f || r >= 0x80 && r < 0xa0 }); i >= 0 {
			t.Errorf("%s has the control character %q", one.name, rest[i:i+1])
		}
	}
	if got := guard("a\x1b[31mb\x1b[0m\x1b[2Jc\td\x9b"); got != "a\x1b[31mb\x1b[0m\\u001b[2Jc d\\x9b" {
		t.Errorf("the guard leaves %q", got)
	}
}

// TestTooSmall: a terminal that is too small is told so, whatever its size.
func TestTooSmall(t *testing.T) {
	for _, size := range [][2]int{{1, 1}, {10, 3}, {79, 24}, {80, 23}, {0, 0}} {
		shown := frame(t, onPaper(t, Terminal{}, text.English), framesOnPaper[1].open, nil, size[0], size[1])
		if size[0] > 60 && !strings.Contains(shown, "80×24") {
			t.Errorf("%v: %s", size, shown)
		}
	}
}
