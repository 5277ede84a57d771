package lab

import (
	"net/netip"
	"strings"
	"testing"
)

func TestKindsOfHosts(t *testing.T) {
	vm := func(m Machine) Options { return Options{Kind: KindVM, Machine: m} }
	for name, test := range map[string]struct {
		options Options
		says    string // of what is wrong; empty: nothing
	}{
		"nothing said":                       {Options{}, ""},
		"namespaces":                         {Options{Kind: KindNamespace}, ""},
		"a machine of the defaults":          {vm(Machine{}), ""},
		"a machine with all said":            {vm(Machine{CPUs: 4, Memory: 2048, MTU: 1400, Kernel: KernelGeneric, KernelArguments: []string{"security=selinux"}}), ""},
		"another kind":                       {Options{Kind: "container"}, "want one of namespace, vm"},
		"a namespace's memory":               {Options{Machine: Machine{Memory: 2048}}, "say that the kind is vm"},
		"less than no processor":             {vm(Machine{CPUs: -1}), "-1 processors"},
		"memory in which no kernel unpacks":  {vm(Machine{Memory: 64}), "64 MiB of memory"},
		"an MTU that IPv6 cannot have":       {vm(Machine{MTU: 1000}), "MTU 1000"},
		"another kernel":                     {vm(Machine{Kernel: "rt"}), `kernel "rt"`},
		"a kernel argument of several lines": {vm(Machine{KernelArguments: []string{"a\nb"}}), "want one word"},
	} {
		t.Run(name, func(t *testing.T) {
			err := test.options.CheckKind()
			if test.says == "" && err != nil || test.says != "" && (err == nil || !strings.Contains(err.Error(), test.says)) {
				t.Errorf("got %v, want %q", err, test.says)
			}
		})
	}
}

// TestGrowWithMachines adds virtual machines to hosts that are there: those stay what they are.
func TestGrowWithMachines(t *testing.T) {
	r := &record{Name: "try", Subnet: netip.MustParsePrefix(DefaultSubnet)}
	if err := r.grow(Options{Counts: Counts{ControlPlanes: 1}}); err != nil {
		t.Fatal(err)
	}
	if err := r.grow(Options{Counts: Counts{ControlPlanes: 1, Workers: 1}, Kind: KindVM, Machine: Machine{MTU: 1400}}); err != nil {
		t.Fatal(err)
	}
	plane, worker := r.host("cp-1"), r.host("worker-1")
	if plane.Kind != KindNamespace || plane.Machine != nil {
		t.Errorf("the host that was there is now %+v", plane)
	}
	if worker.Kind != KindVM || worker.Machine.MTU != 1400 || worker.Machine.CPUs != defaultCPUs || worker.Machine.Kernel != KernelCloud {
		t.Errorf("the new host is %+v, %+v", worker, worker.Machine)
	}
}

// TestMachineIsOnTheLabsNetworkAlone goes through the emulator's arguments: its one card is the lab's.
func TestMachineIsOnTheLabsNetworkAlone(t *testing.T) {
	argv := strings.Join(Machine{MTU: 1400, KernelArguments: []string{"enforcing=1"}}.withDefaults().argv("cp-1", "02:00:00:00:00:01", "/boot/vmlinuz", "/boot/initrd", true), " ")
	for _, want := range []string{
		"-nodefaults", "-netdev tap,id=lab,ifname=cp-1,script=no,downscript=no", "mac=02:00:00:00:00:01,host_mtu=1400",
		"-smp 2 -m 3072", "-append root=/dev/vda rw console=ttyS0", "enforcing=1",
	} {
		if !strings.Contains(argv, want) {
			t.Errorf("%q is not in %s", want, argv)
		}
	}
	if n := strings.Count(argv, "-netdev"); n != 1 {
		t.Errorf("it has %d network cards: %s", n, argv)
	}
}

// TestAcceleratesWhereTheProcessorDoes tells processors that virtualize from those that do not.
func TestAcceleratesWhereTheProcessorDoes(t *testing.T) {
	for name, test := range map[string]struct {
		cpuinfo string
		want    bool
	}{
		"Intel":           {"processor\t: 0\nflags\t\t: fpu vmx sse2\n", true},
		"AMD":             {"processor\t: 0\nflags\t\t: fpu svm sse2\n", true},
		"a virtual one":   {"processor\t: 0\nflags\t\t: fpu sse2\nvmx flags\t: vnmi\n", false},
		"a longer word":   {"flags\t\t: fpu svm_lock\n", false},
		"no flags at all": {"processor\t: 0\n", false},
	} {
		if got := virtualizes(test.cpuinfo); got != test.want {
			t.Errorf("%s: got %v", name, got)
		}
	}
}
