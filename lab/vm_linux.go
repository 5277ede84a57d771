package lab

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// A virtual machine is one process, the emulator. It lies in the lab's network namespace, where its
// card is plugged into the bridge, and in the cgroups of its host; all else of a host's life (its link,
// its power, its end with the lab) is that of every host.

// machineSpec is what the process is told that becomes a virtual machine.
type machineSpec struct {
	Network string   `json:"network"` // the file that the lab's network namespace is pinned at
	Dir     string   `json:"dir"`     // the host's folder
	Argv    []string `json:"argv"`
}

// The names of files in a virtual machine's folder.
const (
	consoleFile = "console.log" // what the kernel and systemd say on the serial line
	controlFile = "qmp"         // the emulator's socket
)

func (s *session) machineSpec(h *hostRecord) (machineSpec, error) {
	vmlinuz, initrd, err := kernelFiles(h.Image, h.Machine.Kernel)
	if err != nil {
		return machineSpec{}, err
	}
	return machineSpec{
		Network: s.lab.networkFile(),
		Dir:     s.lab.hostDir(h.Name),
		Argv:    h.Machine.argv(h.Name, hardwareAddress(s.record.Name, h.Name).String(), vmlinuz, initrd, hasVirtualization()),
	}, nil
}

// argv is the emulator's command line; it runs in the host's folder.
func (m Machine) argv(host, mac, vmlinuz, initrd string, accelerated bool) []string {
	argv := []string{qemu, "-name", host, "-nodefaults", "-no-user-config", "-display", "none", "-machine", "q35"}
	if accelerated {
		argv = append(argv, "-accel", "kvm") // the first accelerator that works is taken
	}
	return append(argv,
		// Translated code has 1 GiB unless said, which a control plane fills every few minutes; then all of it is thrown
		// away and translated anew. 2 GiB is the most that QEMU takes.
		"-accel", "tcg,thread=multi,tb-size=2047",
		// Where the machine is a virtual one itself, its KVM may refuse to set this one register.
		"-cpu", "max,-arch-capabilities",
		"-smp", strconv.Itoa(m.CPUs), "-m", strconv.Itoa(m.Memory),
		"-kernel", vmlinuz, "-initrd", initrd, "-append", m.commandLine(),
		"-drive", "file=disk.img,format=raw,if=virtio,cache=writeback,discard=unmap",
		"-netdev", "tap,id=lab,ifname="+host+",script=no,downscript=no",
		"-device", fmt.Sprintf("virtio-net-pci,netdev=lab,mac=%s,host_mtu=%d,romfile=", mac, m.MTU),
		"-device", "virtio-rng-pci",
		"-serial", "file:"+consoleFile,
		"-qmp", "unix:"+controlFile+",server=on,wait=off",
		"-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny",
	)
}

// hasVirtualization tells whether the machine's processors run a kernel of another's as it is. A
// /dev/kvm alone does not say so: one that works without the processor's help (PVM) takes only kernels
// that know of it, and an ordinary one hangs there.
func hasVirtualization() bool {
	data, err := os.ReadFile("/proc/cpuinfo")
	return err == nil && virtualizes(string(data))
}

func virtualizes(cpuinfo string) bool {
	for line := range strings.Lines(cpuinfo) {
		name, flags, _ := strings.Cut(line, ":")
		if strings.TrimSpace(name) != "flags" {
			continue
		}
		words := strings.Fields(flags)
		return slices.Contains(words, "vmx") || slices.Contains(words, "svm")
	}
	return false
}

// commandLine is the kernel's. Interfaces keep the kernel's names, so that a host's is called as in
// a namespace.
func (m Machine) commandLine() string {
	words := append([]string{"root=/dev/vda", "rw", "console=ttyS0", "net.ifnames=0", "systemd.show_status=true"}, m.KernelArguments...)
	return strings.Join(words, " ")
}

// startMachine starts the process that is to become a virtual machine.
func (s *session) startMachine(host string, log, spec, report *os.File) (process, error) {
	cmd, err := reexec(context.Background(), roleVM, s.lab.dir, host)
	if err != nil {
		return process{}, err
	}
	cmd.Stdout, cmd.Stderr = log, log
	cmd.ExtraFiles = []*os.File{spec, report, s.lock}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // a Ctrl-C at the terminal is not meant for the host
	if err := cmd.Start(); err != nil {
		return process{}, err
	}
	go func() { _ = cmd.Wait() }() // reap it, should this program outlive the host
	return findProcess(cmd.Process.Pid)
}

// machineMain waits for its specification and becomes the emulator.
func machineMain() error {
	runtime.LockOSThread() // the network namespace is this thread's alone until exec
	unix.CloseOnExec(specDescriptor)
	unix.CloseOnExec(errorDescriptor)
	var spec machineSpec
	lock := os.NewFile(lockDescriptor, "lock")
	if err := json.NewDecoder(os.NewFile(specDescriptor, "spec")).Decode(&spec); err != nil {
		return fmt.Errorf("read the specification of the virtual machine: %w", err) // the parent is gone: so is this
	}
	if err := lock.Close(); err != nil {
		return err
	}
	err := becomeMachine(spec)
	fmt.Fprint(os.NewFile(errorDescriptor, "error"), err)
	return err
}

// becomeMachine returns only when something fails.
func becomeMachine(spec machineSpec) error {
	namespace, err := os.Open(spec.Network)
	if err != nil {
		return fmt.Errorf("open the lab's network: %w", err)
	}
	if err := unix.Setns(int(namespace.Fd()), unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("enter the lab's network: %w", err)
	}
	if err := namespace.Close(); err != nil {
		return err
	}
	if err := os.Chdir(spec.Dir); err != nil {
		return err
	}
	unix.Umask(0o077)
	path, err := lookPath(spec.Argv[0])
	if err != nil {
		return err
	}
	return fmt.Errorf("run %s: %w", path, unix.Exec(path, spec.Argv, cleanEnvironment()))
}

// plugIn makes the card's end in the lab's network, and plugs it into the bridge.
func (l *Lab) plugIn(h *hostRecord) error {
	return l.inNetwork(func() error {
		if old, err := netlink.LinkByName(h.Name); err == nil {
			_ = netlink.LinkDel(old)
		}
		bridge, err := netlink.LinkByName(bridgeName)
		if err != nil {
			return err
		}
		attrs := netlink.NewLinkAttrs()
		attrs.Name, attrs.MTU = h.Name, h.Machine.MTU
		attrs.MasterIndex = bridge.Attrs().Index
		// Made with virtio's header, as the emulator opens it.
		tap := &netlink.Tuntap{LinkAttrs: attrs, Mode: netlink.TUNTAP_MODE_TAP, Flags: netlink.TUNTAP_NO_PI | netlink.TUNTAP_VNET_HDR}
		if err := netlink.LinkAdd(tap); err != nil {
			return fmt.Errorf("connect %s: %w", h.Name, err)
		}
		return netlink.LinkSetUp(tap)
	})
}

// consoleLog is the end of what a virtual machine said on its serial line, or of what the emulator
// said where it did not come so far.
func (l *Lab) consoleLog(h *hostRecord) string {
	for _, path := range []string{filepath.Join(l.hostDir(h.Name), consoleFile), l.bootLogFile(h.Name)} {
		if data, err := os.ReadFile(path); err == nil && len(data) > 0 {
			return lastLines(string(data), 20)
		}
	}
	return ""
}
