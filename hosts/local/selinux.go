//go:build linux

package local

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
)

// Where the kernel shows its SELinux policy, and where the configuration names it.
const (
	selinuxFolder = "/sys/fs/selinux"
	selinuxConfig = "/etc/selinux/config"
)

// policyStores are where loaded modules lie, by the policy's name.
var policyStores = []string{"/var/lib/selinux/%s/active/modules", "/etc/selinux/%s/active/modules"}

// containerContext is one that only a policy with container-selinux's types takes.
const containerContext = "system_u:object_r:container_runtime_exec_t"

// readableType is what a module's file has to be for semodule, which the policy confines too (semanage_t): it may read
// neither a service's state (var_lib_t) nor, since it maps what it reads, configuration (etc_t). It may what lies
// below /usr, where packages of modules have their files.
const readableType = "usr_t"

// labels tells whether what is written has to be labelled: SELinux is on, enforcing or not.
func (h *Host) labels() bool { return h.exists(selinuxFolder + "/enforce") }

// observePolicy looks at the SELinux policy.
func (h *Host) observePolicy(_ context.Context, _ hosts.Query, facts *hosts.Facts) error {
	if !h.labels() {
		return nil
	}
	policy := hosts.SELinuxPolicy{
		Name:   h.value(selinuxConfig, "SELINUXTYPE="),
		Levels: h.line(selinuxFolder+"/mls") == "1",
	}
	context := containerContext
	if policy.Levels {
		context += ":s0"
	}
	policy.Containers = h.knowsContext(context)
	if prior, noted := facts.Record.PriorOf(hosts.PolicySetting); noted && h.hasPolicyModule(policy.Name) {
		policy.Module = prior.Set
	}
	for _, name := range []string{"semodule", "restorecon"} {
		if _, err := h.program(name); err != nil {
			policy.Lacks = append(policy.Lacks, name)
		}
	}
	facts.SELinuxPolicy = policy
	return nil
}

// knowsContext asks the kernel whether its policy has a context: it refuses to be written one that it has not.
func (h *Host) knowsContext(context string) bool {
	file, err := os.OpenFile(h.at(selinuxFolder+"/context"), os.O_RDWR, 0)
	if err != nil {
		return false
	}
	defer file.Close()
	_, err = file.WriteString(context + "\x00")
	return err == nil
}

// hasPolicyModule tells whether the module is in the store, at whatever priority.
func (h *Host) hasPolicyModule(policy string) bool {
	return slices.ContainsFunc(policyStores, func(store string) bool {
		return len(h.glob(filepath.Join(fmt.Sprintf(store, policy), "*", hosts.PolicyModule))) > 0
	})
}

// loadPolicyModule has semodule, which compiles CIL itself, take the module into the policy.
func (h *Host) loadPolicyModule(ctx context.Context, a hosts.LoadPolicyModule) (hosts.Outcome, error) {
	record, err := h.record.read()
	if err != nil {
		return hosts.Outcome{}, err
	}
	prior, noted := record.PriorOf(hosts.PolicySetting)
	there := h.hasPolicyModule(h.value(selinuxConfig, "SELINUXTYPE="))
	switch {
	case there && noted && prior.Set == a.Content:
		return unchanged, nil
	case there && !noted:
		return hosts.Outcome{}, &hosts.Error{
			Kind: hosts.KindForeign, Err: errors.New("the policy has a module of this name that Slipway has not loaded"),
			Fix: "see what it is, and take it out: semodule -r " + hosts.PolicyModule,
		}
	}
	text, err := h.readBlob(ctx, a.Content)
	if err != nil {
		return hosts.Outcome{}, err
	}
	return h.apply(ctx, change{
		action: a,
		detail: "for the policy " + h.value(selinuxConfig, "SELINUXTYPE="),
		note:   remember(hosts.Prior{Setting: hosts.PolicySetting, Absent: true, Set: "loading"}),
		act: func(ctx context.Context) error {
			// semodule names a module by its file.
			file := h.state(hosts.PolicyModule + ".cil")
			if err := writeAtomically(file, text, attributes{mode: 0o600}, modeState); err != nil {
				return err
			}
			err := h.runProgram(ctx, "chcon", "-t", readableType, file)
			if err == nil {
				err = h.runProgram(ctx, "semodule", "-i", file)
			}
			if err == nil && len(a.Labels) > 0 {
				err = h.runProgram(ctx, "restorecon", append([]string{"-R", "-i", "--"}, each(a.Labels, h.at)...)...)
			}
			return errors.Join(err, removeFile(file))
		},
		settle: remember(hosts.Prior{Setting: hosts.PolicySetting, Absent: true, Set: a.Content}),
	})
}

// readBlob reads a blob of a few kilobytes.
func (h *Host) readBlob(ctx context.Context, ref string) ([]byte, error) {
	blob, err := h.store.open(ref)
	if err != nil {
		return nil, err
	}
	defer blob.Close()
	return io.ReadAll(hosts.ContextReader{Context: ctx, In: blob})
}

// restorePolicy takes the module out of the policy again.
func (h *Host) restorePolicy(ctx context.Context, name string, _ hosts.Prior) error {
	if !h.hasPolicyModule(h.value(selinuxConfig, "SELINUXTYPE=")) {
		return nil
	}
	return h.runProgram(ctx, "semodule", "-r", name)
}

// labelTimeout bounds labelling, which goes on when its action was cancelled.
const labelTimeout = time.Minute

// relabel gives what an action has written the label that the policy has for it. A file that was written beside its
// place and renamed has the label of its folder, with which a unit may not be able to run it.
func (h *Host) relabel(ctx context.Context, action hosts.Action, pathsOf func(hosts.Action, *hosts.Record) []string) error {
	if !h.labels() {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), labelTimeout)
	defer cancel()
	record, err := h.record.read()
	if err != nil {
		return err
	}
	paths := pathsOf(action, record)
	if len(paths) == 0 {
		return nil
	}
	all := map[string]bool{}
	for _, path := range paths {
		all[path] = true
		for parent := filepath.Dir(path); ; parent = filepath.Dir(parent) {
			if _, ours := record.OwnedAt(parent); !ours || all[parent] {
				break
			}
			all[parent] = true
		}
	}
	arguments := []string{"-i", "--"}
	for path := range all {
		arguments = append(arguments, h.at(path))
	}
	slices.Sort(arguments[2:])
	return h.runProgram(ctx, "restorecon", arguments...)
}

// relabelledBefore are the paths that an action needs labelled: a unit reads and runs files that an agent may have put in
// place and, killed, left without their label.
func relabelledBefore(action hosts.Action, record *hosts.Record) []string {
	if unit, is := action.(hosts.SetUnit); is && unit.Active {
		return ownedFiles(record)
	}
	return nil
}

// ownedFiles are the files and links that the record names.
func ownedFiles(record *hosts.Record) (paths []string) {
	if record == nil {
		return nil
	}
	for _, owned := range record.Paths {
		if owned.Type != hosts.TypeDirectory {
			paths = append(paths, owned.Path)
		}
	}
	return paths
}

// relabelledBy are the paths that an action writes; with them, what an unpack before it may have left unlabelled.
func relabelledBy(action hosts.Action, record *hosts.Record) []string {
	switch a := action.(type) {
	case hosts.WriteFile:
		return []string{a.Path}
	case hosts.MakeDirectory:
		return []string{a.Path}
	case hosts.MakeSymlink:
		return []string{a.Path}
	case hosts.Unpack:
		return ownedFiles(record)
	case hosts.AddHostsEntry:
		return []string{hostsFile}
	case hosts.SetHostname:
		return []string{"/etc/hostname"}
	case hosts.SetTimeZone:
		return []string{localTime, timezoneFile}
	case hosts.SetNTP:
		note, _ := ntpNoteOf(record)
		return note.written()
	case hosts.DisableSwap:
		return []string{fstabFile}
	case hosts.Restore:
		kind, name, _ := strings.Cut(a.Setting, "/")
		switch kind {
		case "file":
			return []string{name}
		case "hosts":
			return []string{hostsFile}
		case "hostname":
			return []string{"/etc/hostname"}
		case "swap":
			return []string{fstabFile}
		case "timezone":
			return []string{localTime, timezoneFile}
		}
	}
	return nil
}

// program finds a program of the machine's.
func (h *Host) program(name string) (string, error) {
	if h.programs != "" {
		return exec.LookPath(filepath.Join(h.programs, name))
	}
	return found(name)
}

// runProgram runs a program without a shell; what it says is in the error if it fails.
func (h *Host) runProgram(ctx context.Context, name string, arguments ...string) error {
	program, err := h.program(name)
	if err != nil {
		return err
	}
	command := exec.CommandContext(ctx, program, arguments...)
	command.Dir, command.Env = "/", commandEnvironment
	if said, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w: %s", name, strings.Join(arguments, " "), err, bytes.TrimSpace(said))
	}
	return nil
}
