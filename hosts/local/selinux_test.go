//go:build linux

package local_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/hosts/hosttest"
	"github.com/slipway-k8s/slipway/hosts/local"
)

// selinuxMachine enforces SELinux, with programs in the place of its own that note what they are told.
func selinuxMachine(t *testing.T) (*machine, hosts.Host) {
	m := newMachine(t)
	m.write("/sys/fs/selinux/enforce", "1")
	m.write("/sys/fs/selinux/mls", "1")
	m.write("/sys/fs/selinux/context", "")
	m.write("/etc/selinux/config", "SELINUX=enforcing\nSELINUXTYPE=targeted\n")
	for _, name := range []string{"semodule", "restorecon", "chcon"} {
		m.put("/usr/sbin/"+name, "#!/bin/sh\necho "+name+" \"$@\" >> "+m.at("/said")+
			"\nstore="+m.at("/var/lib/selinux/targeted/active/modules/400/slipway")+
			"\ncase \"$1\" in -i) [ "+name+" = restorecon ] || mkdir -p $store;; -r) rm -r $store;; esac\n", 0o755)
	}
	return m, m.open(local.Options{Programs: m.at("/usr/sbin")})
}

func (m *machine) said() []string {
	m.t.Helper()
	lines := strings.Split(strings.TrimSpace(strings.ReplaceAll(m.read("/said"), m.root, "")), "\n")
	m.write("/said", "")
	return lines
}

// TestThePolicyLearnsAModuleAndForgetsIt: it is loaded once, seen, and gone after a reset.
func TestThePolicyLearnsAModuleAndForgetsIt(t *testing.T) {
	m, host := selinuxMachine(t)
	blob := hosttest.Content([]byte("(filecon …)"))
	m.upload(host, blob)
	load := hosts.LoadPolicyModule{Content: blob.Ref, Size: blob.Size, Labels: []string{"/opt/slipway"}}
	m.do(host, load)
	if got, want := m.said(), []string{"chcon -t usr_t /var/lib/slipway/slipway.cil", "semodule -i /var/lib/slipway/slipway.cil", "restorecon -R -i -- /opt/slipway"}; !slices.Equal(got, want) {
		t.Errorf("said %q, want %q", got, want)
	}
	facts := m.observe(host, hosts.Query{})
	want := hosts.SELinuxPolicy{Name: "targeted", Levels: true, Containers: true, Module: blob.Ref}
	if got := facts.SELinuxPolicy; facts.SELinux != "enforcing" || got.Name != want.Name || got.Levels != want.Levels || got.Module != want.Module || len(got.Lacks) > 0 {
		t.Errorf("seen: %+v", got)
	}
	m.once(host, hosts.Restore{Setting: hosts.PolicySetting}, hosts.Changed)
	if got, want := m.said(), []string{"semodule -r slipway"}; !slices.Equal(got, want) || m.has("/var/lib/slipway/slipway.cil") {
		t.Errorf("said %q, want %q", got, want)
	}
	if module := m.observe(host, hosts.Query{}).SELinuxPolicy.Module; module != "" {
		t.Errorf("the module is still seen: %s", module)
	}
}

// TestWhatIsWrittenIsLabelled with the folders that were made for it; a reset labels what it puts back.
func TestWhatIsWrittenIsLabelled(t *testing.T) {
	m, host := selinuxMachine(t)
	m.write("/etc/hosts", "127.0.0.1 localhost\n")
	m.write("/usr/bin/true", "")
	m.do(host, m.writeFile(host, "/etc/kubernetes/pki/ca.crt", "x", 0o644))
	m.do(host, hosts.MakeSymlink{Path: "/usr/bin/kubelet", Target: "/opt/slipway/bin/kube"})
	m.do(host, hosts.AddHostsEntry{Address: "10.0.0.1", Names: []string{"api.example"}})
	m.once(host, hosts.Restore{Setting: "hosts/10.0.0.1"}, hosts.Changed)
	want := []string{
		"restorecon -i -- /etc/kubernetes /etc/kubernetes/pki /etc/kubernetes/pki/ca.crt", "restorecon -i -- /usr/bin/kubelet",
		"restorecon -i -- /etc/hosts", "restorecon -i -- /etc/hosts",
	}
	if got := m.said(); !slices.Equal(got, want) {
		t.Errorf("said %q, want %q", got, want)
	}
}

// TestTimesFilesAreLabelled, when they are set and when a reset writes them again.
func TestTimesFilesAreLabelled(t *testing.T) {
	m, host := selinuxMachine(t)
	m.write("/usr/share/zoneinfo/Europe/Berlin", "berlin")
	m.write("/usr/share/zoneinfo/Etc/UTC", "utc")
	const timesyncd = "systemd-timesyncd.service"
	m.systemd.units[timesyncd] = unit("loaded", "active", "enabled", "/usr/lib/systemd/system/"+timesyncd)
	m.do(host, hosts.SetTimeZone{Zone: "Europe/Berlin"})
	m.once(host, hosts.Restore{Setting: hosts.TimeZoneSetting}, hosts.Changed)
	m.do(host, hosts.SetNTP{Servers: []string{"192.0.2.7"}})
	const zone, folder = "restorecon -i -- /etc/localtime /etc/timezone", "/etc/systemd/timesyncd.conf.d"
	if got, want := m.said(), []string{zone, zone, "restorecon -i -- " + folder + " " + folder + "/60-slipway.conf"}; !slices.Equal(got, want) {
		t.Errorf("said %q, want %q", got, want)
	}
}

// TestWhatACutActionLeavesIsLabelled, by the action itself: the next one finds it right, and has nothing to do.
func TestWhatACutActionLeavesIsLabelled(t *testing.T) {
	m, host := selinuxMachine(t)
	m.write("/opt/.keep", "")
	blob := layer(t, map[string]string{"tool": "content"})
	m.upload(host, blob)
	first := unpackFile("/opt/tool", blob, "tool", "content")
	second := unpackFile("/opt/copy", blob, "tool", "content")
	second.From = "/opt/tool"
	cancelled, cancel := context.WithCancel(t.Context())
	if _, err := host.Do(cancelled, hosts.Unpack{Set: "node", Files: []hosts.UnpackFile{first, second}}, func(hosts.Progress) { cancel() }); !errors.Is(err, context.Canceled) {
		t.Fatalf("it ends with %v", err)
	}
	if got, want := m.said(), []string{"restorecon -i -- /opt/copy /opt/tool"}; !slices.Equal(got, want) || !m.has("/opt/tool") || m.has("/opt/copy") {
		t.Errorf("said %q, want %q", got, want)
	}
}

// TestBothErrorsAreTold where an action fails, and then labelling.
func TestBothErrorsAreTold(t *testing.T) {
	m, host := selinuxMachine(t)
	blob := layer(t, map[string]string{"tool": "content"})
	m.upload(host, blob)
	m.put("/usr/sbin/restorecon", "#!/bin/sh\necho no such label; exit 1\n", 0o755)
	files := []hosts.UnpackFile{unpackFile("/opt/tool", blob, "nowhere", "content")}
	if err := m.fails(host, hosts.Unpack{Set: "node", Files: files}); !strings.Contains(err.Error(), "it has no nowhere") || !strings.Contains(err.Error(), "no such label") {
		t.Errorf("it ends with %v", err)
	}
}

// TestWhatAKilledAgentLeftIsLabelled by the next unpack, and before a unit is started: a file is right by its content,
// so that no action writes it again.
func TestWhatAKilledAgentLeftIsLabelled(t *testing.T) {
	const unitFile = "/etc/systemd/system/tool.service"
	m, host := selinuxMachine(t)
	m.write("/opt/.keep", "")
	m.write("/etc/systemd/system/.keep", "")
	blob := layer(t, map[string]string{"tool": "content", "other": "others"})
	m.upload(host, blob)
	m.do(host, hosts.Unpack{Set: "node", Files: []hosts.UnpackFile{unpackFile("/opt/tool", blob, "tool", "content")}})
	m.do(host, m.writeFile(host, unitFile, "x", 0o644))
	m.said()
	m.do(host, hosts.Unpack{Set: "node", Files: []hosts.UnpackFile{
		unpackFile("/opt/tool", blob, "tool", "content"), unpackFile("/opt/other", blob, "other", "others"),
	}})
	m.systemd.units["tool.service"] = unit("loaded", "inactive", "disabled", unitFile)
	m.systemd.failing["tool.service"] = errors.New("out of cheese")
	m.fails(host, hosts.SetUnit{Name: "tool.service", Active: true})
	all := "restorecon -i -- " + unitFile + " /opt/other /opt/tool"
	if got, want := m.said(), []string{all, all}; !slices.Equal(got, want) {
		t.Errorf("said %q, want %q", got, want)
	}
}

// TestAModuleOfSomebodyElseStays: its name is all that tells whose it is, and the record.
func TestAModuleOfSomebodyElseStays(t *testing.T) {
	m, host := selinuxMachine(t)
	m.write("/var/lib/selinux/targeted/active/modules/100/slipway/cil", "")
	if err := m.fails(host, hosts.LoadPolicyModule{Content: "sha256:aa"}); !strings.Contains(err.Fix, "semodule -r slipway") {
		t.Errorf("it fails with %v", err)
	}
}

// TestAHostThatLacksSELinuxsPrograms tells which.
func TestAHostThatLacksSELinuxsPrograms(t *testing.T) {
	m, _ := selinuxMachine(t)
	host := m.open(local.Options{Programs: m.at("/nowhere")})
	if got := m.observe(host, hosts.Query{}).SELinuxPolicy.Lacks; !slices.Equal(got, []string{"semodule", "restorecon"}) {
		t.Errorf("it lacks %q", got)
	}
}
