package lab

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// packages is what an ordinary server has and a cluster host is entitled to find.
// Neither a container runtime nor anything else that Slipway brings is among them.
var packages = []string{
	"systemd", "systemd-sysv", "dbus", "libpam-systemd", "openssh-server", "sudo",
	"iproute2", "iptables", "nftables", "kmod", "procps", "iputils-ping", "netbase",
	"ca-certificates", "curl", "less",
}

// image is what a root for hosts is made of.
type image struct {
	name     string // of its folder in the cache, after the release's; empty for namespaces' hosts
	packages []string
	hooks    []string // commands on the finished root, which is $1
	takes    string   // how long it takes to make
}

// namespaceImage is the root of hosts that are namespaces of this machine's kernel.
var namespaceImage = image{packages: packages, hooks: userHooks, takes: "a minute or so"}

// with is the image with further packages, whose services wait until somebody starts them.
func (i image) with(more []string) (image, error) {
	i.packages, i.hooks = slices.Concat(i.packages, more), slices.Clone(i.hooks)
	for _, name := range more {
		if !packageName.MatchString(name) {
			return image{}, fmt.Errorf("%q is not a package's name", name)
		}
		i.hooks = append(i.hooks, fmt.Sprintf(`if [ -e "$1/lib/systemd/system/%[1]s.service" ]; then chroot "$1" systemctl disable %[1]s.service; fi`, name))
	}
	return i, nil
}

var packageName = regexp.MustCompile(`^[a-z0-9][a-z0-9+.-]*$`)

// The users of every host beside root. Both let the lab's key in; only one may sudo.
const (
	sudoUser   = "ops"
	noSudoUser = "nosudo"
)

// imageFiles is what is laid over a fresh root, and imageLinks likewise. Both are part
// of the image's key.
var imageFiles = []struct {
	path, content string
	mode          os.FileMode
}{
	{"etc/sudoers.d/" + sudoUser, sudoUser + " ALL=(ALL:ALL) NOPASSWD: ALL\n", 0o440},
	{"etc/ssh/sshd_config.d/10-lab.conf", "HostKey /etc/ssh/ssh_host_ed25519_key\n", 0o644},
	{"etc/fstab", "", 0o644},
}

// No package mirror can be reached from a host, so nothing there shall look for one.
var maskedUnits = []string{"apt-daily.timer", "apt-daily-upgrade.timer"}

// users makes the accounts; %s is the root.
var userHooks = []string{
	`chroot "$1" useradd --create-home --shell /bin/bash --uid 1000 ` + sudoUser,
	`chroot "$1" useradd --create-home --shell /bin/bash --uid 1001 ` + noSudoUser,
}

// imageCache is where roots are kept between labs.
func imageCache() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find the cache folder: %w", err)
	}
	return filepath.Join(cache, "slipway", "lab"), nil
}

// key names a root by all that goes into it.
func (i image) key(codename string) string {
	sum := sha256.New()
	fmt.Fprintln(sum, codename, runtime.GOARCH, i.packages, imageFiles, maskedUnits, i.hooks)
	return codename + i.name + "-" + hex.EncodeToString(sum.Sum(nil)[:6])
}

// ensureImage gives the folder of a root that hosts may be laid over, building it at
// the first time.
func ensureImage(ctx context.Context, of image, tell func(string)) (string, error) {
	codename, err := findRelease()
	if err != nil {
		return "", err
	}
	cache, err := imageCache()
	if err != nil {
		return "", err
	}
	root := filepath.Join(cache, of.key(codename))
	if _, err := os.Stat(root); err == nil {
		return root, nil
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return "", fmt.Errorf("make the image cache: %w", err)
	}
	lock, err := lockFile(ctx, filepath.Join(cache, "lock"))
	if err != nil {
		return "", fmt.Errorf("lock the image cache: %w", err)
	}
	defer lock.Close()
	if _, err := os.Stat(root); err == nil {
		return root, nil // somebody else built it while this waited
	}
	tell("build the hosts' root from " + codename + " packages (once; " + of.takes + ")")
	found, err := findSources(ctx, codename)
	if err == nil {
		err = of.build(ctx, root, found)
	}
	if err != nil {
		return "", fmt.Errorf("build the hosts' root: %w", err)
	}
	return root, nil
}

// build makes a root under a temporary name and renames it when it is whole.
func (i image) build(ctx context.Context, root string, from sources) error {
	// Fixed names, so that what a crash left is found by the next.
	half, scratch := root+".half", root+".scratch"
	if err := errors.Join(os.RemoveAll(half), os.RemoveAll(scratch), os.Mkdir(scratch, 0o755)); err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	if err := i.debootstrap(ctx, half, scratch, from); err != nil {
		return err
	}
	if err := finishImage(half); err != nil {
		return err
	}
	return os.Rename(half, root)
}

// debootstrap runs mmdebstrap in mount and PID namespaces of its own: whatever
// becomes of this process, its mounts and children go with it.
func (i image) debootstrap(ctx context.Context, target, scratch string, from sources) error {
	path, err := exec.LookPath("mmdebstrap")
	if err != nil {
		return errors.New("mmdebstrap is missing: apt-get install mmdebstrap")
	}
	options := filepath.Join(scratch, "apt.conf")
	if err := os.WriteFile(options, []byte(from.options), 0o644); err != nil {
		return err
	}
	args := []string{
		"--mode=root", "--variant=minbase", "--format=directory", "--quiet",
		"--include=" + strings.Join(i.packages, ","), "--aptopt=" + options,
	}
	for _, hook := range i.hooks {
		args = append(args, "--customize-hook="+hook)
	}
	args = append(args, from.codename, target, "-")

	runtime.LockOSThread() // Pdeathsig is the death of the thread
	defer runtime.UnlockOSThread()
	cmd, err := reexec(ctx, roleBuild, append([]string{path}, args...)...)
	if err != nil {
		return err
	}
	cmd.Env = append(cmd.Env, "TMPDIR="+scratch)
	var said bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(from.list), &said, &said
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWPID,
		Pdeathsig:  syscall.SIGKILL,
	}
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("mmdebstrap: %w\n%s", err, lastLines(said.String(), 15))
	}
	return nil
}

// buildMain becomes mmdebstrap, with a /proc that fits its PID namespace.
func buildMain(args []string) error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make the mounts private: %w", err)
	}
	if err := unix.Mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return fmt.Errorf("mount /proc: %w", err)
	}
	return fmt.Errorf("run %s: %w", args[0], unix.Exec(args[0], args, cleanEnvironment()))
}

func cleanEnvironment() []string {
	var env []string
	for _, variable := range os.Environ() {
		if !strings.HasPrefix(variable, childVariable+"=") {
			env = append(env, variable)
		}
	}
	return env
}

// finishImage takes out what must differ from host to host, and what belongs to this
// machine, and lays the lab's own files over the rest.
func finishImage(root string) error {
	keys, err := filepath.Glob(filepath.Join(root, "etc/ssh/ssh_host_*"))
	if err != nil {
		return err
	}
	remove := append(keys,
		filepath.Join(root, "etc/machine-id"), filepath.Join(root, "var/lib/dbus/machine-id"),
		filepath.Join(root, "etc/hostname"), filepath.Join(root, "etc/resolv.conf"),
		filepath.Join(root, "etc/apt/apt.conf.d/99mmdebstrap"), filepath.Join(root, "etc/apt/sources.list"))
	for _, path := range remove {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	for _, file := range imageFiles {
		path := filepath.Join(root, file.path)
		if err := errors.Join(os.WriteFile(path, []byte(file.content), file.mode), os.Chmod(path, file.mode)); err != nil {
			return err
		}
	}
	for _, unit := range maskedUnits {
		if err := os.Symlink("/dev/null", filepath.Join(root, "etc/systemd/system", unit)); err != nil {
			return err
		}
	}
	return nil
}

// lastLines keeps the end of what a program said.
func lastLines(text string, n int) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
