//go:build linux

package local_test

import (
	"os"
	"strings"
	"testing"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/hosts/local"
)

const keptState = local.DefaultStateDir

// TestAVersionIsKeptWholeOrNotAtAll: where the disk is full, nothing of it is left, and it is kept once there is room.
func TestAVersionIsKeptWholeOrNotAtAll(t *testing.T) {
	m := newMachine(t)
	host := m.host()
	m.write("/etc/small", "small")
	m.write("/etc/large", strings.Repeat("large", 400<<10))
	mount(t, m.at(keptState), "1m")
	keep := hosts.KeepVersion{Before: "next", Version: "v1.36.3", Paths: []string{"/etc/small", "/etc/large"}}
	if err := m.fails(host, keep); err.Kind != hosts.KindDiskFull || !strings.Contains(err.Error(), "/etc/large") || err.Fix == "" {
		t.Errorf("%v (%s), to do: %s", err, err.Kind, err.Fix)
	}
	if m.has(hosts.KeptFolder("next")) {
		t.Error("half of it is left")
	}
	m.write("/etc/large", "fits")
	m.once(host, keep, hosts.Changed)
}

// TestWhatARunThatWasCutHasKeptIsNoVersion: it is told, and kept anew.
func TestWhatARunThatWasCutHasKeptIsNoVersion(t *testing.T) {
	m := newMachine(t)
	host := m.host()
	m.write("/etc/file", "in force")
	m.write(hosts.KeptFolder("next")+"/files/half", "half")
	if facts := m.observe(host, hosts.Query{}); len(facts.Kept) > 0 || !strings.Contains(facts.KeptBroken["next"], "cut") {
		t.Errorf("kept are %v, broken %v", facts.Kept, facts.KeptBroken)
	}
	keep := hosts.KeepVersion{Before: "next", Version: "v1.36.3", Paths: []string{"/etc/file"}}
	m.once(host, keep, hosts.Changed)
	if facts := m.observe(host, hosts.Query{}); len(facts.Kept) != 1 || len(facts.KeptBroken) > 0 || m.has(hosts.KeptFolder("next")+"/files/half") {
		t.Errorf("kept are %v, broken %v", facts.Kept, facts.KeptBroken)
	}
	info, err := os.Stat(m.at(hosts.KeptFolder("next")))
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v: others than root may look into it", info.Mode(), err)
	}
}

// TestADamagedVersionIsNeitherUsedNorReplaced: what comes later is no longer what was in force.
func TestADamagedVersionIsNeitherUsedNorReplaced(t *testing.T) {
	for name, damage := range map[string]func(m *machine, content string){
		"a content is gone":   func(m *machine, content string) { _ = os.Remove(m.at(content)) },
		"a content is longer": func(m *machine, content string) { m.write(content, "in force, and more") },
		"no index":            func(m *machine, _ string) { m.write(hosts.KeptFolder("next")+"/kept.json", "{") },
		"another's index":     func(m *machine, _ string) { m.write(hosts.KeptFolder("next")+"/kept.json", "{}") },
	} {
		t.Run(name, func(t *testing.T) {
			m := newMachine(t)
			host := m.host()
			m.write("/etc/file", "in force")
			keep := hosts.KeepVersion{Before: "next", Version: "v1.36.3", Paths: []string{"/etc/file"}}
			m.once(host, keep, hosts.Changed)
			damage(m, hosts.KeptContent("next", m.observe(host, hosts.Query{}).Kept[0].Paths[0].Digest))
			if facts := m.observe(host, hosts.Query{}); len(facts.Kept) > 0 || facts.KeptBroken["next"] == "" {
				t.Errorf("kept are %v, broken %v", facts.Kept, facts.KeptBroken)
			}
			if err := m.fails(host, keep); !strings.Contains(err.Fix, "rm -r "+m.at(hosts.KeptFolder("next"))) {
				t.Errorf("%v, to do: %s", err, err.Fix)
			}
			m.once(host, hosts.ForgetVersion{Before: "next"}, hosts.Changed)
			m.once(host, keep, hosts.Changed)
		})
	}
}

// TestWhatIsPutBackIsWhatWasKept: content that has changed since is not written.
func TestWhatIsPutBackIsWhatWasKept(t *testing.T) {
	m := newMachine(t)
	host := m.host()
	m.do(host, m.writeFile(host, "/etc/file", "in force", 0o640))
	m.do(host, hosts.KeepVersion{Before: "next", Version: "v1.36.3", Paths: []string{"/etc/file"}})
	kept := m.observe(host, hosts.Query{}).Kept[0].Paths[0]
	m.do(host, m.writeFile(host, "/etc/file", "new", 0o600))
	m.write(hosts.KeptContent("next", kept.Digest), "in farce")
	back := hosts.WriteFile{Path: "/etc/file", Mode: kept.Mode, Content: kept.Digest, Size: kept.Size, Kept: "next"}
	m.fails(host, back)
	if m.read("/etc/file") != "new" {
		t.Errorf("written is %q", m.read("/etc/file"))
	}
	m.write(hosts.KeptContent("next", kept.Digest), "in force")
	m.do(host, back)
	if owned, _ := m.record(host).OwnedAt("/etc/file"); m.read("/etc/file") != "in force" || owned.Digest != kept.Digest {
		t.Errorf("written is %q, on record %v", m.read("/etc/file"), owned)
	}
}

// TestWhatIsKeptGoesWithAReset: it is Slipway's own and on no record.
func TestWhatIsKeptGoesWithAReset(t *testing.T) {
	m := newMachine(t)
	host := m.host()
	m.write("/etc/theirs", "")
	m.do(host, m.writeFile(host, "/etc/file", "in force", 0o640))
	m.do(host, hosts.KeepVersion{Before: "next", Version: "v1.36.3", Paths: []string{"/etc/file"}})
	for _, owned := range m.record(host).Paths {
		if strings.HasPrefix(owned.Path, keptState) {
			t.Errorf("on record is %s", owned.Path)
		}
	}
	m.do(host, hosts.RemovePath{Path: "/etc/file"})
	m.once(host, hosts.Forget{}, hosts.Changed)
	if m.has(keptState) {
		t.Errorf("%s is left", keptState)
	}
}
