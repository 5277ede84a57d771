package main_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// BenchmarkPreflight is all that preflight asks of 200 hosts, three of them control planes: 200 logins, and the ways
// between every two roles that need any. The hosts are made up, and all work on this machine's processors.
func BenchmarkPreflight(b *testing.B) {
	const planes, workers = 3, 197
	s := &stage{t: b, dir: b.TempDir(), hosts: map[string]*stageHost{}, cluster: newFakeCluster()}
	if err := placeBundles(s.dir); err != nil {
		b.Fatal(err)
	}
	var names []string
	for n := range planes {
		names = append(names, fmt.Sprintf("cp-%d", n+1))
	}
	for n := range workers {
		names = append(names, fmt.Sprintf("worker-%d", n+1))
	}
	const endpoint = "endpoint: {mode: vip, host: 10.0.1.100}\n"
	if err := os.WriteFile(filepath.Join(s.dir, "head.yaml"), []byte(endpoint), 0o600); err != nil {
		b.Fatal(err)
	}
	if err := s.boot(names); err != nil {
		b.Fatal(err)
	}
	program, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		command := exec.Command(program, "preflight", "-f", "cluster.yaml", "--bundle", "bundle.tar")
		command.Args[0] = "slipway"
		command.Dir, command.Env = s.dir, []string{"HOME=" + s.dir, "PATH=" + os.Getenv("PATH")}
		var out bytes.Buffer
		command.Stdout, command.Stderr = &out, &out
		if err := command.Run(); err != nil || !strings.Contains(out.String(), "checks of init on 200 hosts") {
			b.Fatalf("%v\n%s", err, out.Bytes())
		}
	}
}
