package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/muesli/termenv"

	"github.com/slipway-k8s/slipway/cmd/slipway/tui"
	screens "github.com/slipway-k8s/slipway/cmd/slipway/tui/terminal"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/plan"
	"github.com/slipway-k8s/slipway/workflow"
)

// busy has the test's binary show, on its terminal, a workflow on 100 hosts with 5,000 steps that tells of so many events a second.
// plainly has it told line by line instead.
const (
	busy    = "SLIPWAY_TEST_BUSY"
	plainly = "SLIPWAY_TEST_PLAINLY"
)

const busyFile = `apiVersion: slipway.dev/v1alpha1
kind: Cluster
name: busy
hosts:
  - {name: cp-1, address: 192.0.2.11, roles: [control-plane]}
`

// busyPlan has each host's steps one after another.
func busyPlan() plan.Plan {
	p := plan.Plan{Workflow: "init", Cluster: hosts.Identity{Name: "busy"}}
	for n := range 5000 {
		host := fmt.Sprintf("worker-%d", n%100+1)
		step := plan.Step{ID: fmt.Sprintf("%s/prepare/file-%d", host, n), Phase: "prepare", Host: host, Lane: plan.LaneWork, Change: plan.Create, Action: hosts.SetUnit{}}
		if n >= 100 {
			step.After = []plan.Dependency{plan.All(p.Steps[n-100].ID)}
		}
		p.Steps = append(p.Steps, step)
	}
	return p
}

// beBusy is that program, whose process others measure.
func beBusy(rate string) error {
	perSecond, err := strconv.Atoi(rate)
	if err != nil {
		return err
	}
	p := busyPlan()
	if os.Getenv(plainly) != "" {
		fmt.Println("begun")
		keepTelling(context.Background(), p.Steps, perSecond, func(e plan.Event) { fmt.Println(eventLine(e)) })
		return nil
	}
	options := newProgram().tuiOptions(clusterFlags{file: "cluster.yaml", bundle: "bundle.tar"})
	options.In, options.Out, options.Terminal = os.Stdin, os.Stdout, tui.Terminal{Profile: termenv.ANSI256, Dark: true}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	options.Open = func(_, bundle string, front workflow.Frontend) (*workflow.Session, error) {
		if bundle == "" {
			return nil, errors.New("nobody is there") // to the dashboard
		}
		if err := front.Plan(workflow.Prepared{Plan: p}); err != nil {
			return nil, err
		}
		for _, step := range p.Steps[:100] {
			front.Event(plan.Event{Type: plan.EventStepStarted, Step: step.ID, Host: step.Host, Phase: step.Phase, Time: time.Now()})
		}
		keepTelling(ctx, p.Steps, perSecond, front.Event)
		return nil, ctx.Err()
	}
	return tui.Run(ctx, options)
}

// keepTelling tells of so many events a second, until the program ends: of progress, so that nothing ever ends.
func keepTelling(ctx context.Context, steps []plan.Step, perSecond int, tell func(plan.Event)) {
	if perSecond == 0 {
		<-ctx.Done()
		return
	}
	const each = 10 * time.Millisecond
	tick := time.NewTicker(each)
	defer tick.Stop()
	sent, began := 0, time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			for due := int(now.Sub(began).Seconds() * float64(perSecond)); sent < due; sent++ {
				step := steps[sent%100]
				tell(plan.Event{Type: plan.EventStepProgress, Step: step.ID, Host: step.Host, Detail: fmt.Sprintf("waits for Pod %d", sent), Time: now})
			}
		}
	}
}

// percentile is the value below which so many percent of them are.
func percentile(took []time.Duration, percent int) time.Duration {
	slices.Sort(took)
	return took[min(len(took)-1, len(took)*percent/100)]
}

func reportTimes(b *testing.B, took []time.Duration) {
	b.ReportMetric(float64(percentile(took, 50).Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(percentile(took, 99).Microseconds())/1000, "p99-ms")
	b.ReportMetric(float64(took[len(took)-1].Microseconds())/1000, "max-ms")
}

// startBusy starts the program in a terminal.
func startBusy(b *testing.B, rate int, more ...string) *screens.Terminal {
	b.Helper()
	binary, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	folder := b.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "cluster.yaml"), []byte(busyFile), 0o600); err != nil {
		b.Fatal(err)
	}
	command := exec.Command(binary)
	command.Dir = folder
	command.Env = append([]string{busy + "=" + strconv.Itoa(rate), "TERM=xterm-256color", "LANG=C.UTF-8", "HOME=" + folder, "PATH=" + os.Getenv("PATH")}, more...)
	t, err := screens.Start(command, 120, 40, nil)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = t.Close() })
	if len(more) > 0 {
		awaitOn(b, t, "begun")
		return t
	}
	awaitOn(b, t, "Esc quit")
	for _, one := range []struct{ key, shows string }{{"a", "drain"}, {"enter", "bundle.tar"}, {"n", "0 of 5000 steps"}} {
		if err := t.Press(one.key); err != nil {
			b.Fatal(err)
		}
		awaitOn(b, t, one.shows)
	}
	return t
}

func awaitOn(b *testing.B, t *screens.Terminal, text string) {
	b.Helper()
	if screen, err := t.Await(time.Minute, func(screen string) bool { return strings.Contains(screen, text) }); err != nil {
		b.Fatalf("%s: %v:\n%s", text, err, screen)
	}
}

// BenchmarkKeyToScreen is how long a key takes from the terminal to the changed screen, while events come: each key shows the other
// of two views.
func BenchmarkKeyToScreen(b *testing.B) {
	for _, rate := range []int{0, 500} {
		b.Run(fmt.Sprintf("%d-events", rate), func(b *testing.B) {
			t := startBusy(b, rate)
			shown := map[string]string{"2": "[2 Forecast]", "4": "[4 Run]", "3": "[3 Plan]"}
			keys := []string{"3", "4", "2", "4"}
			var took []time.Duration
			for i := 0; b.Loop(); i++ {
				key := keys[i%len(keys)]
				began := time.Now()
				if err := t.Type(key); err != nil {
					b.Fatal(err)
				}
				awaitOn(b, t, shown[key])
				took = append(took, time.Since(began))
			}
			reportTimes(b, took)
		})
	}
}

// used is the processor time that a process has taken until now, and the most memory that it had, in bytes.
func used(b *testing.B, pid int) (processor time.Duration, memory int64) {
	b.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		b.Fatal(err)
	}
	_, behind, _ := strings.Cut(string(stat), ") ")
	fields := strings.Fields(behind) // from the third on: see proc_pid_stat(5)
	const ticksASecond = 100
	for _, at := range []int{14 - 3, 15 - 3} {
		ticks, err := strconv.Atoi(fields[at])
		if err != nil {
			b.Fatal(err)
		}
		processor += time.Duration(ticks) * time.Second / ticksASecond
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		b.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		if said, is := strings.CutPrefix(line, "VmHWM:"); is {
			kibibytes, err := strconv.ParseInt(strings.Fields(said)[0], 10, 64)
			if err != nil {
				b.Fatal(err)
			}
			memory = kibibytes << 10
		}
	}
	return processor, memory
}

// measured is how long processor use is measured.
const measured = 5 * time.Second

// BenchmarkProcessor is how much of one processor is used while nothing happens, and at 500 and 50,000 events a second.
func BenchmarkProcessor(b *testing.B) {
	for _, rate := range []int{0, 500, 50_000} {
		b.Run(fmt.Sprintf("%d-events", rate), func(b *testing.B) {
			t := startBusy(b, rate)
			var share, memory float64
			for b.Loop() {
				before, _ := used(b, t.PID())
				began := time.Now()
				_ = t.Wait(measured) // it does not end by itself
				after, most := used(b, t.PID())
				share = 100 * (after - before).Seconds() / time.Since(began).Seconds()
				memory = float64(most) / (1 << 20)
			}
			b.ReportMetric(share, "%cpu")
			b.ReportMetric(memory, "MiB")
		})
	}
}

// BenchmarkMemory is how much more memory the screens take than lines do, for the same job.
func BenchmarkMemory(b *testing.B) {
	for b.Loop() {
		shown, lines := startBusy(b, 500), startBusy(b, 500, plainly+"=1")
		_ = shown.Wait(measured)
		for _, key := range []string{"1", "2", "3", "4", "5", "6"} {
			if err := shown.Press(key); err != nil {
				b.Fatal(err)
			}
		}
		_, much := used(b, shown.PID())
		_, little := used(b, lines.PID())
		b.ReportMetric(float64(much)/(1<<20), "MiB-screens")
		b.ReportMetric(float64(much-little)/(1<<20), "MiB-more")
	}
}
