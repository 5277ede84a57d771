//go:build bench

package bench

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// bed is one lab with its cluster file and state folder.
type bed struct {
	t           *testing.T
	name        string
	file, state string
	hosts       []string // those that the cluster is made of
	newcomer    string   // the one that joins later
}

func boot(t *testing.T, name string, flags ...string) *bed {
	b := &bed{t: t, name: name, file: filepath.Join(t.TempDir(), "cluster.yaml"), state: t.TempDir()}
	b.slipway(append([]string{"lab", "up", "--name", name, "--out", b.file}, flags...)...)
	return b
}

func (b *bed) down() { b.slipway("lab", "down", "--name", b.name) }

type ran struct {
	stdout string
	took   time.Duration
	rss    int64 // bytes
}

func (b *bed) slipway(args ...string) ran { return b.slipwayWith(nil, args...) }

// command is a slipway command with this bed's state folder.
func (b *bed) command(ctx context.Context, args ...string) *exec.Cmd {
	command := exec.CommandContext(ctx, slipwayBinary(), args...)
	command.Env = append(os.Environ(), "XDG_STATE_HOME="+b.state)
	return command
}

func (b *bed) slipwayWith(stdin []byte, args ...string) ran {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	command := b.command(ctx, args...)
	var stdout, stderr bytes.Buffer
	command.Stdin, command.Stdout, command.Stderr = bytes.NewReader(stdin), &stdout, &stderr
	began := time.Now()
	if err := command.Start(); err != nil {
		b.t.Fatal(err)
	}
	most := peak(command.Process.Pid)
	if err := command.Wait(); err != nil {
		b.t.Fatalf("slipway %s: %v\n%s\n%s", strings.Join(args, " "), err, &stdout, &stderr)
	}
	return ran{stdout: stdout.String(), took: time.Since(began), rss: <-most}
}

// peak samples a process's high-water mark of resident memory, in bytes, until it ends.
// What wait(2) reports would count this process's own from before the exec.
func peak(pid int) <-chan int64 {
	most := make(chan int64, 1)
	go func() {
		ticker := time.NewTicker(50 * time.Millisecond)
		defer ticker.Stop()
		var last int64
		for {
			status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
			var kilobytes int64
			_, after, found := strings.Cut(string(status), "VmHWM:")
			if err != nil || !found {
				most <- last
				return
			}
			if _, err := fmt.Sscanf(after, "%d", &kilobytes); err == nil {
				last = kilobytes << 10
			}
			<-ticker.C
		}
	}()
	return most
}

// exec runs a command on a host and gives what it printed; the last word is its standard input.
func (b *bed) exec(host string, argv ...string) string {
	b.t.Helper()
	input := []byte(argv[len(argv)-1])
	return b.slipwayWith(input, append([]string{"lab", "exec", "--name", b.name, host, "--"}, argv[:len(argv)-1]...)...).stdout
}

func (b *bed) put(host, from, to string) {
	b.t.Helper()
	data, err := os.ReadFile(from)
	if err != nil {
		b.t.Fatal(err)
	}
	b.exec(host, "sh", "-c", "cat > "+to+" && chmod 0755 "+to, string(data))
}

// networkManifest is the network add-on as Slipway applies it, for kubeadm's side too.
func (b *bed) networkManifest() string {
	b.t.Helper()
	text := b.slipway("plan", "-f", b.file, "--bundle", bundleFile(), "--contents", "cluster/addon/flannel").stdout
	path := filepath.Join(b.t.TempDir(), "flannel.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		b.t.Fatal(err)
	}
	return path
}

var poller string

func buildPoller(t *testing.T) string {
	if poller != "" {
		return poller
	}
	poller = filepath.Join(os.TempDir(), "slipway-bench-poll")
	build := exec.Command("go", "build", "-o", poller, "./poll")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the poller: %v\n%s", err, out)
	}
	return poller
}

func since(t *testing.T, began time.Time, lines string) milestones {
	found := milestones{}
	for line := range strings.Lines(lines) {
		fields := strings.Fields(line)
		if len(fields) != 2 {
			continue
		}
		at, err := strconv.ParseInt(fields[1], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		found[fields[0]] = time.Unix(0, at).Sub(began).Seconds()
	}
	return found
}

func column(rows []milestones, name string) []float64 {
	var values []float64
	for _, row := range rows {
		values = append(values, row[name])
	}
	return values
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}

func spread(values []float64) string {
	return fmt.Sprintf("%.2f (%.2f-%.2f)", median(values), slices.Min(values), slices.Max(values))
}

// repository is the root of the checkout: go test runs a test in its package's folder.
func repository() string {
	root, err := filepath.Abs("../..")
	if err != nil {
		panic(err)
	}
	return root
}

func slipwayBinary() string { return filepath.Join(repository(), "bin", "slipway") }
func bundleFile() string    { return filepath.Join(repository(), "dist", "bundle.tar") }
func kubeadmBinary() string { return filepath.Join(repository(), "dist", "kubeadm") }
