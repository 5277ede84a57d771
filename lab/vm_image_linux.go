package lab

import (
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// vmImage is the root of virtual machines: what the hosts of namespaces have, and what only a kernel
// of one's own can show. The firewalls and SELinux are there and do nothing until they are switched
// on, as on a fresh Debian that has them installed.
var vmImage = image{
	name: "-vm",
	packages: append(slices.Clone(packages),
		"linux-image-cloud-amd64", "linux-image-amd64", "initramfs-tools", "udev", "e2fsprogs",
		"apparmor", "selinux-policy-default", "selinux-utils", "policycoreutils",
		"firewalld", "ufw", "systemd-timesyncd"),
	hooks: append(slices.Clone(userHooks),
		`chroot "$1" systemctl enable systemd-networkd`,
		`chroot "$1" systemctl disable firewalld`,
		// Labelled here, a machine enforces SELinux from its first boot on; kernels without it take no notice.
		`chroot "$1" setfiles -F -e /proc -e /sys -e /dev /etc/selinux/default/contexts/files/file_contexts /`),
	takes: "five minutes or so",
}

// qemu is the emulator.
const qemu = "qemu-system-x86_64"

// checkVirtualization tells what this machine lacks to run virtual machines.
func checkVirtualization() error {
	if runtime.GOARCH != "amd64" {
		return fmt.Errorf("virtual machines of a lab are amd64, and this machine is %s: use hosts of the kind %s", runtime.GOARCH, KindNamespace)
	}
	if _, err := exec.LookPath(qemu); err != nil {
		return errors.New(qemu + " is missing: apt-get install --no-install-recommends qemu-system-x86 seabios")
	}
	if _, err := exec.LookPath("mke2fs"); err != nil {
		return errors.New("mke2fs is missing: apt-get install e2fsprogs")
	}
	return nil
}

// kernelFiles are the kernel and the initrd of a root.
func kernelFiles(root, kernel string) (vmlinuz, initrd string, err error) {
	found, err := filepath.Glob(filepath.Join(root, "boot/vmlinuz-*"))
	if err != nil {
		return "", "", err
	}
	slices.Sort(found)
	slices.Reverse(found) // where there are several, the newest
	for _, path := range found {
		release := strings.TrimPrefix(filepath.Base(path), "vmlinuz-")
		if strings.Contains(release, "-cloud-") == (kernel == KernelCloud) {
			return path, filepath.Join(root, "boot/initrd.img-"+release), nil
		}
	}
	return "", "", fmt.Errorf("%s has no %s kernel", root, kernel)
}
