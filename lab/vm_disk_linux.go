package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// diskSize is what a virtual machine's disk may grow to. The file has holes: only what is written
// takes room.
const diskSize = "24G"

func (l *Lab) diskFile(host string) string { return filepath.Join(l.hostDir(host), "disk.img") }

// machineSeeds are the files that a virtual machine begins with beside those of every host: namespaces
// get their network from outside.
func (s *session) machineSeeds(h *hostRecord) []seedFile {
	var network strings.Builder
	fmt.Fprintf(&network, "[Match]\nName=%s\n\n", hostInterface)
	network.WriteString("[Network]\nLLMNR=no\nIPv6AcceptRA=no\n")
	for _, place := range s.record.places(h) {
		fmt.Fprintf(&network, "Address=%s/%d\nGateway=%s\n", place.Address, place.Subnet.Bits(), place.Gateway)
	}
	return []seedFile{
		{path: "etc/systemd/network/10-lab.network", content: network.String(), mode: 0o644},
		{path: "etc/fstab", content: "/dev/vda / ext4 errors=remount-ro 0 1\n", mode: 0o644},
	}
}

// makeDisk makes a virtual machine's disk: the image's root with the host's seeds laid over it.
func (s *session) makeDisk(h *hostRecord) error {
	runtime.LockOSThread() // Pdeathsig is the death of the thread
	defer runtime.UnlockOSThread()
	cmd, err := reexec(context.Background(), roleDisk, h.Image, s.lab.hostDir(h.Name), s.lab.diskFile(h.Name))
	if err != nil {
		return err
	}
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("make the disk: %w\n%s", err, lastLines(said.String(), 5))
	}
	return nil
}

// diskMain lays a host's folder over an image, in a mount namespace of its own, and writes the whole
// into a file system in a file: mke2fs takes a folder as it is, with owners and labels.
func diskMain(args []string) error {
	image, dir, disk := args[0], args[1], args[2]
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make the mounts private: %w", err)
	}
	root := filepath.Join(dir, "root")
	layers := fmt.Sprintf("lowerdir=%s,upperdir=%s,workdir=%s",
		overlayPath(image), overlayPath(filepath.Join(dir, "upper")), overlayPath(filepath.Join(dir, "work")))
	if err := unix.Mount("overlay", root, "overlay", 0, layers); err != nil {
		return fmt.Errorf("lay the host's seeds over %s: %w", image, err)
	}
	if err := label(root, filepath.Join(dir, "upper")); err != nil {
		return err
	}
	if err := os.Remove(disk); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if out, err := exec.Command("mke2fs", "-q", "-t", "ext4", "-d", root, disk, diskSize).CombinedOutput(); err != nil {
		return fmt.Errorf("run mke2fs: %w\n%s", err, lastLines(string(out), 5))
	}
	path, err := exec.LookPath("debugfs")
	if err != nil {
		return err
	}
	return unix.Exec(path, []string{"debugfs", "-w", "-R", "ea_set / security.selinux " + rootLabel, disk}, os.Environ())
}

// rootLabel is what SELinux's policy has for /. mke2fs takes the labels of all that is in a folder, but not the
// folder's own, and where / has none an enforcing kernel lets no program reach its libraries.
const rootLabel = "system_u:object_r:root_t:s0"

// label gives what was seeded, and what the lab laid over the image, the labels that the image's SELinux
// policy has for it: without them an enforcing kernel lets nobody in.
func label(root, seeds string) error {
	var paths []string
	for _, file := range imageFiles {
		paths = append(paths, "/"+file.path)
	}
	for _, unit := range maskedUnits {
		paths = append(paths, "/etc/systemd/system/"+unit)
	}
	err := filepath.WalkDir(seeds, func(path string, _ fs.DirEntry, err error) error {
		if path != seeds {
			paths = append(paths, strings.TrimPrefix(path, seeds))
		}
		return err
	})
	if err != nil {
		return err
	}
	proc := filepath.Join(root, "proc") // setfiles sets labels by /proc/self/fd
	if err := unix.Mount("proc", proc, "proc", 0, ""); err != nil {
		return fmt.Errorf("mount %s: %w", proc, err)
	}
	args := append([]string{root, "setfiles", "-F", "/etc/selinux/default/contexts/files/file_contexts"}, paths...)
	out, err := exec.Command("chroot", args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("label the host's seeds: %w\n%s", err, lastLines(string(out), 5))
	}
	return unix.Unmount(proc, 0)
}
