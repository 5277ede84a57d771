package manifests

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/slipway-k8s/slipway/cluster"
)

// TestKubeletUnitLowersNoLimit: what the unit does before each start sets all of Pods' routing
// again, and of the limits only those that are too low.
func TestKubeletUnitLowersNoLimit(t *testing.T) {
	c := one()
	c.Networking = cluster.Networking{PodSubnets: []string{"10.244.0.0/16", "fd00:1::/56"}, ServiceSubnets: []string{"10.96.0.0/12", "fd00:2::/112"}}
	cluster.Defaults(c)
	unit := string(render(t, input(t, c, modern()), "cp-1").file(t, UnitsFolder+"/"+KubeletUnit).Content)
	const prefix = "net"
	if !strings.Contains(unit, "systemd-sysctl --prefix=/"+prefix+" "+SysctlFile) {
		t.Errorf("settings other than the network's are set as well:\n%s", unit)
	}
	for key := range routing(c) {
		if !strings.HasPrefix(key, prefix+".") {
			t.Errorf("%s is not set at a start", key)
		}
	}

	kernel := t.TempDir()
	at := func(limit string) string { return filepath.Join(kernel, "fs/inotify", limit) }
	if err := os.MkdirAll(filepath.Dir(at("x")), 0o755); err != nil {
		t.Fatal(err)
	}
	for limit, value := range map[string]string{"max_user_instances": "65536\n", "max_user_watches": "8192\n"} {
		if err := os.WriteFile(at(limit), []byte(value), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for line := range strings.Lines(unit) {
		script, ok := strings.CutPrefix(line, "ExecStartPre=-/bin/sh -c '")
		if !ok {
			continue
		}
		script = strings.TrimSuffix(strings.TrimSpace(script), "'")
		script = strings.NewReplacer("$$", "$", "/proc/sys", kernel).Replace(script)
		if out, err := exec.CommandContext(t.Context(), "sh", "-c", script).CombinedOutput(); err != nil {
			t.Errorf("%s: %v: %s", script, err, out)
		}
	}
	for limit, want := range map[string]string{"max_user_instances": "65536\n", "max_user_watches": "524288\n"} {
		if got, err := os.ReadFile(at(limit)); err != nil || string(got) != want {
			t.Errorf("%s is %q (%v), want %q", limit, got, err, want)
		}
	}
}
