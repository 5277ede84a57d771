package phases

import (
	"strings"
	"testing"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// TestSELinuxLearnsSlipwaysLabels before anything is written that they are for; a reset takes them away when that is gone.
func TestSELinuxLearnsSlipwaysLabels(t *testing.T) {
	w := newWorld(t, 1, 1)
	w.machines["w-1"].Edit(func(f *hosts.Facts) {
		f.SELinux, f.SELinuxPolicy = "enforcing", hosts.SELinuxPolicy{Name: "targeted", Levels: true, Containers: true}
	})
	bare := w.machine("w-1")
	p, contents := w.planned(Init)
	before := plan.Predecessors(p)
	for _, later := range []string{"w-1/containerd/containerd.service", "w-1/kubelet/kubelet.service"} {
		if !reaches(before, later, "w-1/prepare/selinux") {
			t.Errorf("%s does not wait for the labels", later)
		}
	}
	for _, step := range p.Steps {
		load, is := step.Action.(hosts.LoadPolicyModule)
		if !is {
			continue
		}
		text := string(contents[load.Content])
		for _, want := range []string{
			`(filecon "/opt/slipway/components(/.*)?" any (system_u object_r bin_t ((s0) (s0))))`,
			`(filecon "/opt/slipway/components/(.*/)?lib(32|64)?(/.*)?" any (system_u object_r lib_t ((s0) (s0))))`,
			`file (system_u object_r container_runtime_exec_t ((s0) (s0))))`,
		} {
			if !strings.Contains(text, want) {
				t.Errorf("the module lacks %s:\n%s", want, text)
			}
		}
		if strings.Contains(text, "allow ") {
			t.Errorf("the module allows something:\n%s", text)
		}
	}
	w.run(p, contents, seeded(1), -1)
	p, _ = w.planned(Init)
	wantEmpty(t, p)
	w.machines["w-1"].Edit(func(f *hosts.Facts) { f.SELinuxPolicy.Containers = false }) // container-selinux was removed
	p, contents = w.planned(Init)
	wantSteps(t, p, "w-1/prepare/selinux", "w-1/tidy/store")
	w.run(p, contents, seeded(1), -1)
	w.machines["w-1"].Edit(func(f *hosts.Facts) { f.SELinuxPolicy.Containers = true })
	w.all(resetting())
	if after := w.machine("w-1"); after != bare {
		t.Errorf("w-1 is not what it was:\n%s", difference(bare, after))
	}
}
