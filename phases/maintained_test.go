package phases

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/slipway-k8s/slipway/certs"
	"github.com/slipway-k8s/slipway/certs/mint"
	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/plan"
	"github.com/slipway-k8s/slipway/phases/view"
)

// What others do to a healthy cluster is no difference.

func TestPlanIsEmptyAfterKubeadmCertsRenew(t *testing.T) {
	w := newWorld(t, 1, 1)
	w.init(seeded(1))
	w.now = noon.Add(200 * 24 * time.Hour)
	w.renew("cp-1")
	w.now = noon.Add(201 * 24 * time.Hour)
	p, _ := w.planned(Init)
	wantEmpty(t, p)
}

// renew writes what kubeadm certs renew all writes on a control plane.
func (w *world) renew(name string) {
	w.t.Helper()
	host, _ := w.cluster.Host(name)
	leaves, err := mint.Leaves(w.pki, certs.Specs(w.cluster, host), 365*24*time.Hour, w.now)
	if err != nil {
		w.t.Fatal(err)
	}
	server := "https://" + manifests.APIAddress(w.cluster, host)
	for _, leaf := range leaves {
		for _, file := range leaf.Files() {
			w.machines[name].PutFile(file.Path, file.Content, file.Mode)
		}
		if entry, _ := certs.Find(leaf.Name); entry.Form == certs.AsKubeconfig {
			content := manifests.Kubeconfig(server, w.pki.CA.Cert, entry.CommonName, leaf.Cert, leaf.Key, w.cluster.Name)
			w.machines[name].PutFile(entry.CertPath(), content, 0o600)
		}
	}
}

func TestPlanIsEmptyAfterAKubeletsRotation(t *testing.T) {
	w := newWorld(t, 1, 1)
	w.init(seeded(1))
	w.now = noon.Add(250 * 24 * time.Hour)
	w.renew("cp-1")
	for _, host := range w.cluster.Hosts {
		w.rotate(host)
		// Another operator mints leaves of their own: they have other dates.
		w.mintLeaves(host)
	}
	p, _ := w.planned(Init)
	wantEmpty(t, p)
}

// rotate writes what a kubelet writes that has a new certificate.
func (w *world) rotate(host cluster.Host) {
	w.t.Helper()
	leaves, err := mint.Leaves(w.pki, certs.Specs(w.cluster, host), 365*24*time.Hour, w.now)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, leaf := range leaves {
		if leaf.Name != certs.Kubelet {
			continue
		}
		file, err := leaf.KubeletFile()
		if err != nil {
			w.t.Fatal(err)
		}
		w.machines[host.Name].PutFile(file.Path, file.Content, file.Mode)
		w.act(host.Name, hosts.MakeSymlink{Path: certs.KubeletCurrent, Target: file.Path})
	}
}

func TestAKubeletWithAnExpiredCertificateGetsANewOne(t *testing.T) {
	w := newWorld(t, 1, 1)
	w.init(seeded(1))
	w.now = noon.Add(400 * 24 * time.Hour)
	w.renew("cp-1")
	w.rotate(w.cluster.Hosts[0])
	w.mintLeaves(w.cluster.Hosts[1])
	p, contents := w.planned(Init)
	w.run(p, contents, seeded(1), -1)
	link := w.look("w-1", hosts.Query{Paths: []string{certs.KubeletCurrent}}).Files[certs.KubeletCurrent]
	if !strings.Contains(link.Target, w.now.Format("2006-01-02")) {
		t.Errorf("the current certificate is %s", link.Target)
	}
	p, _ = w.planned(Init)
	wantEmpty(t, p)
}

func TestACertificateThatExpiresSoonIsReplaced(t *testing.T) {
	w := newWorld(t, 1, 0)
	w.init(seeded(1))
	w.now = noon.Add(350 * 24 * time.Hour)
	w.rotate(w.cluster.Hosts[0])
	w.mintLeaves(w.cluster.Hosts[0])
	p, contents := w.planned(Init)
	for _, step := range p.Steps {
		if step.ID == "cp-1/certs/etc/kubernetes/pki/apiserver.crt" && !strings.Contains(step.Why, "expires on 2027-11-20") {
			t.Errorf("why: %s", step.Why)
		}
	}
	if at(p, "pki/apiserver.crt") < 0 || at(p, "admin.conf") < 0 {
		t.Errorf("planned only %q", changes(p))
	}
	w.run(p, contents, seeded(1), -1)
	p, _ = w.planned(Init)
	wantEmpty(t, p)
}

func TestBootstrapTokensAreNoPartOfWhatShouldBe(t *testing.T) {
	w := newWorld(t, 1, 0)
	p, _ := w.planned(Init)
	for _, step := range p.Steps {
		if strings.Contains(step.ID, "/secret/") {
			t.Errorf("%s would be missed once the token has expired", step.ID)
		}
	}
}

func TestPrepareLeavesOnlyJoining(t *testing.T) {
	w := newWorld(t, 1, 2)
	in := w.observe()
	in.Hosts = []string{"w-1"}
	p, contents, err := Prepare(in)
	if err != nil {
		t.Fatal(err)
	}
	w.run(p, contents, seeded(1), -1)
	if w.unitActive("w-1", manifests.KubeletUnit) || !w.unitActive("w-1", manifests.ContainerdUnit) {
		t.Error("want containerd running, and the kubelet not")
	}
	for _, path := range []string{manifests.KubeletConf, manifests.KubeletConfig, certs.Kubernetes.CertPath()} {
		if w.has("w-1", path) {
			t.Errorf("%s is there: kubeadm join would refuse", path)
		}
	}
	in = w.observe()
	// Where it were absent, containerd would make it with 0700, and a join would find that.
	if folder := in.Facts["w-1"].Files[manifests.CNIConfFolder]; folder.Mode != 0o755 || !view.MadeDirectory(in.Facts["w-1"].Record, manifests.CNIConfFolder) {
		t.Errorf("%s is %+v", manifests.CNIConfFolder, folder)
	}
	in.Hosts = []string{"w-1"}
	if p, _, err = Prepare(in); err != nil {
		t.Fatal(err)
	}
	wantEmpty(t, p)
	w.init(seeded(2))
	p, _ = w.planned(Prepare)
	wantEmpty(t, p)
}

// TestNameServersThatDoNotAnswerChangeNothing: the kubelet's unit has a line of /etc/hosts only
// where the DNS did not know the endpoint, and a kubelet is not restarted since it does not say so
// just now.
func TestNameServersThatDoNotAnswerChangeNothing(t *testing.T) {
	w := newWorldOf(t, shape{mode: cluster.EndpointLocal, planes: 1, workers: 1})
	name := w.cluster.Endpoint.Host
	observed := func(change func(*hosts.Facts)) Input {
		in := w.observe()
		for host, facts := range in.Facts {
			change(&facts)
			in.Facts[host] = facts
		}
		return in
	}
	known := func(f *hosts.Facts) { f.Names = map[string][]string{name: {"127.0.0.1"}} }
	p, contents, err := Init(observed(known))
	if err != nil {
		t.Fatal(err)
	}
	w.run(p, contents, seeded(1), -1)
	for what, test := range map[string]struct {
		seen    func(*hosts.Facts)
		changed bool
	}{
		"it is known":       {known, false},
		"nobody answers":    {func(f *hosts.Facts) { f.Names, f.Unresolved = nil, map[string]string{name: "no answer within 6 s"} }, false},
		"it does not exist": {func(f *hosts.Facts) { f.Names = nil }, true},
	} {
		t.Run(what, func(t *testing.T) {
			in := observed(test.seen)
			p, _, err := Init(in)
			if err != nil {
				t.Fatal(err)
			}
			var units, entries int
			for _, step := range p.Steps {
				switch action := step.Action.(type) {
				case hosts.SetUnit:
					units++
				case hosts.AddHostsEntry:
					entries += len(action.Names)
				}
			}
			if changed := len(p.Steps) > 0; changed != test.changed || changed && (units != 2 || entries != 2) {
				t.Errorf("%d steps, of which %d start units and %d write /etc/hosts", len(p.Steps), units, entries)
			}
		})
	}
}

// TestACutFirstInitStillHasTheLineOfHosts: no name server answers, and the first init ends when the
// files are written and /etc/hosts is not. The same where the name was known when the host was
// prepared.
func TestACutFirstInitStillHasTheLineOfHosts(t *testing.T) {
	for what, begin := range map[string]func(w *world, name string){
		"cut after the files": func(w *world, name string) {
			p, contents, err := Init(w.unresolved(name))
			if err != nil {
				t.Fatal(err)
			}
			for _, step := range p.Steps {
				_, claims := step.Action.(hosts.Claim)
				if claims || step.Lane == plan.LaneFiles {
					w.do(step, contents)
				}
			}
		},
		"prepared where it was known": func(w *world, name string) {
			in := w.observe()
			for host := range in.Facts {
				edit(&in, host, func(f *hosts.Facts) { f.Names = map[string][]string{name: {"127.0.0.1"}} })
			}
			p, contents, err := Prepare(in)
			if err != nil {
				t.Fatal(err)
			}
			w.run(p, contents, seeded(1), -1)
		},
	} {
		t.Run(what, func(t *testing.T) {
			w := newWorldOf(t, shape{mode: cluster.EndpointLocal, planes: 1, workers: 1})
			name := w.cluster.Endpoint.Host
			begin(w, name)
			p, _, err := Init(w.unresolved(name))
			if err != nil {
				t.Fatal(err)
			}
			for _, host := range []string{"cp-1", "w-1"} {
				if !w.has(host, manifests.UnitsFolder+"/"+manifests.KubeletUnit) {
					t.Errorf("%s: the kubelet's unit was not written before the cut", host)
				}
				if !slices.ContainsFunc(p.Steps, func(step plan.Step) bool {
					_, adds := step.Action.(hosts.AddHostsEntry)
					return adds && step.Host == host
				}) {
					t.Errorf("%s: nothing adds a line for the endpoint to /etc/hosts", host)
				}
			}
		})
	}
}

// unresolved is what is seen where no name server answers for a name.
func (w *world) unresolved(name string) Input {
	w.t.Helper()
	in := w.observe()
	for host := range in.Facts {
		edit(&in, host, func(f *hosts.Facts) { f.Names, f.Unresolved = nil, map[string]string{name: "no answer within 6 s"} })
	}
	return in
}
