package lab

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Kind is what a host is made of.
type Kind string

// The kinds. A virtual machine has what a namespace of the machine's own kernel lacks: modules of
// its own, control groups version 2 with systemd's driver, swap, AppArmor or SELinux, a power
// button. It takes longer to boot, and much longer where the machine cannot accelerate it.
const (
	KindNamespace Kind = "namespace"
	KindVM        Kind = "vm"
)

// Kinds are what Options.Kind may be.
func Kinds() []Kind { return []Kind{KindNamespace, KindVM} }

// The kernels of a virtual machine, both Debian's: linux-image-cloud-amd64, and linux-image-amd64 of
// ordinary machines.
const (
	KernelCloud   = "cloud"
	KernelGeneric = "generic"
)

// Machine is how a virtual machine is built. What is zero gets a default.
type Machine struct {
	CPUs   int `json:"cpus,omitempty"`
	Memory int `json:"memory,omitempty"` // in MiB
	MTU    int `json:"mtu,omitempty"`    // of its network card, in bytes
	// Kernel is KernelCloud or KernelGeneric.
	Kernel string `json:"kernel,omitempty"`
	// KernelArguments are added to the kernel's command line: security=selinux has Debian's SELinux
	// policy loaded in place of AppArmor's.
	KernelArguments []string `json:"kernelArguments,omitempty"`
}

// The defaults of a Machine. kubeadm, and so Slipway, asks for 1700 MB and two processors.
const (
	defaultCPUs   = 2
	defaultMemory = 3072
	defaultMTU    = 1500
)

func (m Machine) withDefaults() Machine {
	if m.CPUs == 0 {
		m.CPUs = defaultCPUs
	}
	if m.Memory == 0 {
		m.Memory = defaultMemory
	}
	if m.MTU == 0 {
		m.MTU = defaultMTU
	}
	if m.Kernel == "" {
		m.Kernel = KernelCloud
	}
	return m
}

// isZero tells whether nothing is said of how a machine is built.
func (m Machine) isZero() bool {
	return m.CPUs == 0 && m.Memory == 0 && m.MTU == 0 && m.Kernel == "" && len(m.KernelArguments) == 0
}

// The bounds within which a machine boots: below this memory its initrd does not unpack, and IPv6,
// which every host has, needs an MTU of 1280 (RFC 8200).
const (
	leastMemory = 512
	leastMTU    = 1280
	mostMTU     = 9000
)

// CheckKind says what is wrong with the kind of host that is asked for.
func (o Options) CheckKind() error {
	switch {
	case !slices.Contains(append(Kinds(), ""), o.Kind):
		return fmt.Errorf("kind %s: want one of %s, %s", o.Kind, KindNamespace, KindVM)
	case o.Kind != KindVM && !o.Machine.isZero():
		return errors.New("processors, memory, MTU and kernel are a virtual machine's: say that the kind is vm")
	case o.Kind != KindVM:
		return nil
	}
	return o.Machine.withDefaults().check()
}

func (m Machine) check() error {
	switch {
	case m.CPUs < 1:
		return fmt.Errorf("%d processors: want at least 1", m.CPUs)
	case m.Memory < leastMemory:
		return fmt.Errorf("%d MiB of memory: want at least %d", m.Memory, leastMemory)
	case m.MTU < leastMTU || m.MTU > mostMTU:
		return fmt.Errorf("MTU %d: want one from %d to %d", m.MTU, leastMTU, mostMTU)
	case m.Kernel != KernelCloud && m.Kernel != KernelGeneric:
		return fmt.Errorf("kernel %q: want %s or %s", m.Kernel, KernelCloud, KernelGeneric)
	}
	for _, argument := range m.KernelArguments {
		if argument == "" || strings.ContainsAny(argument, "\n\"") {
			return fmt.Errorf("kernel argument %q: want one word", argument)
		}
	}
	return nil
}
