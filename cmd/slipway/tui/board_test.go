package tui

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	tea "github.com/charmbracelet/bubbletea"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/cmd/slipway/tui/text"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/workflow"
)

// watchedOnPaper is what screens share whose sessions are real ones, of hosts that never answer; opened counts them, and
// what is sent comes out of the channel.
func watchedOnPaper(t *testing.T, file string) (s *shared, opened *atomic.Int32, told chan tea.Msg) {
	s = onPaper(t, Terminal{}, text.English)
	if err := os.WriteFile(s.options.File, []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	opened, told = &atomic.Int32{}, make(chan tea.Msg, 1000)
	s.send = func(msg tea.Msg) { told <- msg }
	s.options.Open = func(file, _ string, front workflow.Frontend) (*workflow.Session, error) {
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		opened.Add(1)
		return workflow.Open(workflow.Options{File: file, Data: data, Dial: func(ctx context.Context, _ cluster.Host, _ func(string)) (hosts.Host, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}}, front)
	}
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	return s, opened, told
}

// hostsOf are the hosts that a dashboard shows, when it shows some.
func hostsOf(d *dashboard, told chan tea.Msg) (names []string) {
	for {
		p, _ := d.board.now()
		if p == nil {
			<-told
			continue
		}
		for _, h := range p.Hosts {
			names = append(names, h.Name)
		}
		return names
	}
}

// TestTheDashboardFollowsItsFile: a host that has come into the file is shown when the dashboard is uncovered, and on r; a
// file that is the same, or cannot be read just now, changes nothing.
func TestTheDashboardFollowsItsFile(t *testing.T) {
	more := strings.Replace(fileOnPaper, "  - {name: worker-1", "  - {name: worker-2, address: 192.0.2.22, roles: [worker]}\n  - {name: worker-1", 1)
	for name, look := range map[string]func(*dashboard){
		"uncovered": func(d *dashboard) { d.begin() },
		"r":         func(d *dashboard) { d.update(keyOf("r")) },
	} {
		t.Run(name, func(t *testing.T) {
			s, opened, told := watchedOnPaper(t, fileOnPaper)
			d := newDashboard(s, s.options.File)
			d.begin()
			if got := hostsOf(d, told); len(got) != 4 {
				t.Fatalf("it shows %v", got)
			}
			look(d)
			if err := os.Rename(s.options.File, s.options.File+"~"); err != nil {
				t.Fatal(err)
			}
			look(d)
			if n := opened.Load(); n != 1 {
				t.Errorf("the same file was opened %d times", n)
			}
			if err := os.WriteFile(s.options.File, []byte(more), 0o600); err != nil {
				t.Fatal(err)
			}
			look(d)
			if got := hostsOf(d, told); len(got) != 5 || got[3] != "worker-2" {
				t.Errorf("of the changed file it shows %v", got)
			}
			d.close()
			s.work.Wait() // the sessions of both have ended
		})
	}
}

// TestWhatScreensBegunEnds when they go, however they go.
func TestWhatScreensBegunEnds(t *testing.T) {
	type closer interface {
		screen
		close()
	}
	for name, open := range map[string]func(*shared) closer{
		"dashboard": func(s *shared) closer { return newDashboard(s, s.options.File) },
		"done":      func(s *shared) closer { return newDoneScreen(s, s.options.File) },
		"journal":   func(s *shared) closer { return newJournalScreen(s, s.options.File, "cp-1", "kubelet.service") },
	} {
		t.Run(name, func(t *testing.T) {
			s, opened, told := watchedOnPaper(t, fileOnPaper)
			one := open(s)
			one.close() // nothing was begun yet
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				if cmd := one.begin(); cmd != nil {
					cmd()
				}
				s.work.Wait()
			}()
			for opened.Load() == 0 {
				select {
				case <-told:
				case <-ended:
					t.Fatal("it has ended by itself")
				default:
				}
			}
			one.close()
			one.close()
			<-ended
		})
	}
}

func TestANewFileHasANameOfItsOwn(t *testing.T) {
	there := map[string]bool{}
	for n := range 30 {
		name := freshFile(func(file string) bool { return there[file] })
		if there[name] || filepath.Ext(name) != ".yaml" {
			t.Errorf("the file %d is %s", n, name)
		}
		there[name] = true
		there[fmt.Sprintf("cluster-%d.yaml", n)] = true
	}
	if !there["cluster.yaml"] || there["cluster-60.yaml"] {
		t.Errorf("there are %v", there)
	}
}

// TestNothingIsTooTall: however much there is to be said, nothing panics, and on the least terminal the tabs and some of
// what they stand above are to be seen.
func TestNothingIsTooTall(t *testing.T) {
	long := strings.Repeat("reach the API server on a host that is far away: no route to host; ", 60)
	tall := map[string]func(*workflow.Picture){
		"usual": func(*workflow.Picture) {},
		"none":  func(p *workflow.Picture) { bare(p); p.Cause = long },
		"unknown": func(p *workflow.Picture) {
			half(p)
			p.ID, p.Cause = "", long
		},
		"interrupted": func(p *workflow.Picture) { half(p); p.Live.Cause, p.Cause, p.MembersCause = long, long, long },
		"down":        func(p *workflow.Picture) { lost(p); p.Live.Cause, p.Cause, p.MembersCause = long, long, long },
		"lacking": func(p *workflow.Picture) {
			for _, what := range []string{hosts.LackNodes, hosts.LackPods, hosts.LackWarnings} {
				p.Live.Lacking = append(p.Live.Lacking, hosts.Lacking{What: what, Why: long})
			}
		},
		"many": func(p *workflow.Picture) {
			wordy(p)
			p.Endpoint, p.Holders = long, []string{long}
			for i := range 10 {
				h := p.Hosts[0]
				h.Name, h.Connection = fmt.Sprintf("host-%d", i), long
				p.Hosts = append(p.Hosts, h)
			}
		},
	}
	for name, change := range tall {
		t.Run(name, func(t *testing.T) {
			for view := range dashViews {
				s := onPaper(t, Terminal{}, text.English)
				d := changed(s, change)
				a := newApp(s, d)
				a.Update(keyOf(fmt.Sprint(view + 1)))
				for _, press := range []string{"", "end", "pgdown", "pgup", "home", "down"} {
					if press != "" {
						a.Update(keyOf(press))
					}
					for _, height := range []int{0, 2, 4, 5, 6, 7, 9, 12, 20, 39} {
						d.body(80, height-5)
						newHostPage(s, d.board, "ha.yaml", "cp-1").body(80, height-5)
					}
				}
				a.Update(tea.WindowSizeMsg{Width: 80, Height: 24})
				if shown := a.View(); name != "many" && name != "none" && !strings.Contains(shown, "6 Runs") {
					t.Errorf("view %d has no tabs:\n%s", view+1, shown)
				}
			}
		})
	}
}

// TestAHostHasItsPods, those that are well too, on its page.
func TestAHostHasItsPods(t *testing.T) {
	s := onPaper(t, Terminal{}, text.English)
	d := changed(s, func(p *workflow.Picture) {
		p.Live.Nodes[0].Pods = 9
		p.Live.Nodes[0].OnIt = []hosts.LivePod{{Namespace: "kube-system", Name: "coredns-1\x1b[2J", Phase: "Running", Restarts: 2}, {Namespace: "shop", Name: "web-1", Phase: "Terminating"}}
	})
	page := strings.Join(newHostPage(s, d.board, "ha.yaml", "cp-1").all(80), "\n")
	for _, want := range []string{"kube-system/coredns-1", "Running (2×)\n", "  shop/web-1 Terminating\n", "  +7\n"} {
		if !strings.Contains(page, want) {
			t.Errorf("it has no %q:\n%s", want, page)
		}
	}
	if strings.Contains(page, "\x1b[2J") {
		t.Errorf("what a host says reaches the terminal: %q", page)
	}
	if page = strings.Join(newHostPage(s, d.board, "ha.yaml", "cp-2").all(80), "\n"); strings.Contains(page, "web-1") {
		t.Errorf("another host has them too:\n%s", page)
	}
}

// TestAHostThatIsAwaySaysWhenItIsTriedAgain: that may be minutes, where it refuses the login.
func TestAHostThatIsAwaySaysWhenItIsTriedAgain(t *testing.T) {
	s := onPaper(t, Terminal{}, text.English)
	d := changed(s, func(p *workflow.Picture) {
		p.Details = append(p.Details, workflow.HostDetails{Name: "worker-1", Again: at})
	})
	page := strings.Join(newHostPage(s, d.board, "ha.yaml", "worker-1").all(80), "\n")
	if want := "It is tried again at " + at.Local().Format("15:04:05"); !strings.Contains(page, want) {
		t.Errorf("it does not say %q:\n%s", want, page)
	}
}
