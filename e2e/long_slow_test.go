//go:build long

package e2e

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// slowTime bounds an init over slow lines: the bundle alone takes ten minutes at two megabits.
const slowTime = 50 * time.Minute

// TestLongSlowHosts makes and keeps a cluster whose hosts are 300 ms away, at the end of lines that carry two
// megabits a second and lose one packet of a hundred.
func TestLongSlowHosts(t *testing.T) {
	l := newLab(t, "--control-planes", "3", "--workers", "1")
	counts := t.TempDir()
	promises(t, l, nil, []promise{
		{"an upload that is cut goes on from where it was", func(t *testing.T, l *lab) { slowInitIsCut(t, l, counts) }},
		{"init works, and says how much is on its way and how long it takes", func(t *testing.T, l *lab) { slowInit(t, l, counts) }},
		{"nothing was sent twice", func(t *testing.T, l *lab) { nothingTwice(t, l, counts) }},
		{"what is there is not sent again", func(t *testing.T, l *lab) { slowPlanIsEmpty(t, l, counts) }},
	})
}

// slowly has the cluster file lead to the hosts by slow lines, which count what they carry in files of a folder.
func (l *lab) slowly(counts string, flags ...string) {
	l.t.Helper()
	program := filepath.Join(repository(), "bin", "e2e-slowline")
	build := exec.Command("go", "build", "-o", program, "./e2e/slowline")
	build.Dir, build.Env = repository(), append(build.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		l.t.Fatalf("build slowline: %v\n%s", err, out)
	}
	data, err := os.ReadFile(l.file)
	if err != nil {
		l.t.Fatal(err)
	}
	way := regexp.MustCompile(`(?m)^(\s*proxyCommand: ['"]?)(.*?-- )?(.*)$`)
	line := fmt.Sprintf("${1}%s -count %s %s -- ${3}", program, counts, strings.Join(flags, " "))
	if err := os.WriteFile(l.file, way.ReplaceAll(data, []byte(line)), 0o600); err != nil {
		l.t.Fatal(err)
	}
}

// slowRun runs slipway for as long as slow lines take.
func (l *lab) slowRun(args ...string) result {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), slowTime)
	defer cancel()
	command := l.command(ctx, args...)
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	begun := time.Now()
	_ = command.Run()
	r := result{stdout: stdout.String(), stderr: stderr.String(), code: command.ProcessState.ExitCode(), took: time.Since(begun)}
	l.t.Logf("slipway %s: exit %d in %.0fs", strings.Join(args, " "), r.code, r.took.Seconds())
	return r
}

// slowInitIsCut has the lines cut in the midst of the uploads.
func slowInitIsCut(t *testing.T, l *lab, counts string) {
	l.slowly(counts, "-cut-after", "150s")
	if r := l.slowRun(l.withBundle("init", "--yes")...); r.code != 1 || !strings.Contains(r.stdout+r.stderr, "run the same command again") {
		t.Fatalf("init over lines that are cut: %s", r)
	}
}

func slowInit(t *testing.T, l *lab, counts string) {
	l.slowly(counts)
	r := l.slowRun(l.withBundle("init", "--yes")...)
	if r.code != 0 {
		t.Fatalf("init: %s", r)
	}
	l.made = true
	if !regexp.MustCompile(`\d+% of [0-9.]+ MiB, \d+ KiB/s, [0-9 a-z]+ left`).MatchString(r.stdout) {
		t.Errorf("init does not say how much is on its way, how fast, and how long it takes:\n%s", r.stdout)
	}
	for _, word := range []string{"no sign of life", "context deadline exceeded"} {
		if strings.Contains(r.stdout+r.stderr, word) {
			t.Errorf("init says %q:\n%s", word, r)
		}
	}
	l.wantReady("cp-1", "cp-2", "cp-3", "worker-1")
}

// carried is how many bytes went to the hosts over all connections so far.
func carried(t *testing.T, counts string) (out int64) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(counts, "*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("nothing was counted: %v", err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		var there, back int64
		if err == nil {
			_, err = fmt.Sscan(string(data), &there, &back)
		}
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		out += there
	}
	return out
}

// nothingTwice compares what went over the lines with the bundle: of it no host needs more than all.
func nothingTwice(t *testing.T, _ *lab, counts string) {
	info, err := os.Stat(bundleFile())
	if err != nil {
		t.Fatal(err)
	}
	// Agents, keys, what is asked and said, and what was on its way when the lines were cut.
	const hosts, more = 4, 24 << 20
	if most, out := hosts*(info.Size()+more), carried(t, counts); out > most {
		t.Errorf("%d MiB went to %d hosts, of a bundle of %d MiB", out>>20, hosts, info.Size()>>20)
	}
}

func slowPlanIsEmpty(t *testing.T, l *lab, counts string) {
	before := carried(t, counts)
	if r := l.slowRun(l.withBundle("plan", "--exit-code")...); r.code != 0 {
		t.Errorf("the plan is not empty: %s", r)
	}
	if more := carried(t, counts) - before; more > 8<<20 {
		t.Errorf("to look at the hosts took %d KiB", more>>10)
	}
}
