package checks

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/plan"
)

const (
	apiSource  = "container kube-system/kube-apiserver-cp-1/kube-apiserver"
	etcdSource = "container kube-system/etcd-cp-1/etcd"
)

// patient is the patience of the waits below: two minutes quiet, ten at work.
var patient = plan.Patience{Quiet: 120, Busy: 600}

var waitsForAPI = plan.Step{ID: "w", Cluster: plan.WaitAPI{Host: "cp-1", Timeout: 1800, Patience: patient}}

// course gives what is seen at a moment after the wait's beginning; nothing, when it is done.
type course func(at time.Duration) *Look

// follow watches a course, as the engine does, until the wait is stuck or done or two hours have passed.
func follow(step plan.Step, seen course) (Verdict, time.Duration, []string) {
	w := NewWatch(step)
	var told []string
	for at := 20 * time.Second; at < 2*time.Hour; at += 12 * time.Second {
		look := seen(at)
		if look == nil {
			return Verdict{}, at, told
		}
		look.After = at
		verdict := w.Look(*look)
		told = append(told, verdict.Status)
		if verdict.Stuck != "" {
			return verdict, at, told
		}
	}
	return Verdict{Status: "for ever"}, 2 * time.Hour, told
}

func onHost(note string, signs []hosts.Sign, evidence ...hosts.Evidence) *Look {
	return &Look{Note: note, Shown: map[string]Shown{"cp-1": {Signs: signs, Evidence: evidence}}}
}

func up(source string, since, at time.Duration, cpu float64) hosts.Sign {
	return hosts.Sign{Source: source, State: hosts.StateRunning, Seconds: (at - since).Seconds(), CPU: cpu}
}

// loops is a container that runs for so long, and is started again by the kubelet's rule.
func loops(source string, runs time.Duration, ended hosts.Ending, at time.Duration) hosts.Sign {
	ended.Ran = runs.Seconds()
	begun := time.Duration(0)
	for attempt := 0; ; attempt++ {
		stop := begun + runs
		again := stop + backoff(attempt)
		sign := hosts.Sign{Source: source, Attempt: attempt}
		switch {
		case at < stop:
			sign.State, sign.Seconds = hosts.StateRunning, (at - begun).Seconds()
			if attempt > 0 {
				sign.Ended = &ended
			}
			return sign
		case at < again:
			sign.State, sign.Seconds, sign.Ended = hosts.StateEnded, (at - stop).Seconds(), &ended
			return sign
		}
		begun = again
	}
}

func lines(source, state string, said ...string) hosts.Evidence {
	return hosts.Evidence{Source: source, Lines: append([]string{state}, said...)}
}

const refused = "connect: connection refused"

// TestSlowOrStuck: a wait goes on while anything moves, and ends when nothing does, or when what is in its way does
// not heal by itself.
func TestSlowOrStuck(t *testing.T) {
	minute := time.Minute
	unknownFlag := "Error: unknown flag: --no-such-flag"
	tests := map[string]struct {
		step   plan.Step
		course course
		// stuck is what the verdict says; empty: the wait comes to its end. cause is what it names.
		stuck, cause string
		from, to     time.Duration // when the wait ends
	}{
		"an API server that takes nine minutes of a slow processor": {
			course: func(at time.Duration) *Look {
				if at > 9*minute {
					return nil
				}
				return onHost(refused, []hosts.Sign{up(etcdSource, 0, at, 1), up(apiSource, 10*time.Second, at, at.Seconds()*0.9)})
			},
			from: 9 * minute, to: 10 * minute,
		},
		"the same, ended by its startup probe and begun again: it turns in circles": {
			course: func(at time.Duration) *Look {
				api := loops(apiSource, 610*time.Second, hosts.Ending{Code: 137, Reason: "Error"}, at)
				api.CPU = api.Seconds
				return onHost(refused, []hosts.Sign{api})
			},
			stuck: "has shown nothing new for", from: 10 * minute, to: 23 * minute,
		},
		"one that starts in half an hour, step by step": {
			course: func(at time.Duration) *Look {
				if at > 30*minute {
					return nil
				}
				return onHost(fmt.Sprintf("not ready: %d checks", 60-int(at/(100*time.Second))), []hosts.Sign{up(apiSource, 0, at, 1)})
			},
			from: 30 * minute, to: 31 * minute,
		},
		"one that hangs, and uses no processor": {
			course: func(at time.Duration) *Look {
				return onHost(refused, []hosts.Sign{up(apiSource, 0, at, at.Seconds()*0.02)})
			},
			stuck: "nothing has moved for 2", from: 2 * minute, to: 3 * minute,
		},
		"one that turns in circles: a log of the same words, a processor in use": {
			course: func(at time.Duration) *Look {
				return onHost(refused, []hosts.Sign{up(apiSource, 0, at, at.Seconds())},
					lines(apiSource, "running, started 1 times", fmt.Sprintf("I1201 %d retry %d", at, at/time.Second)))
			},
			stuck: "at work, and has shown nothing new for 10 min", from: 10 * minute, to: 12 * minute,
		},
		"notes that differ in their ports and times only": {
			course: func(at time.Duration) *Look {
				return onHost(fmt.Sprintf("read tcp 127.0.0.1:%d: reset after %s", 40000+at/time.Second, at), []hosts.Sign{up(apiSource, 0, at, 1)})
			},
			stuck: "nothing has moved", from: 2 * minute, to: 3 * minute,
		},
		"nothing ever comes, and the kubelet runs": {
			course: func(time.Duration) *Look {
				return onHost(refused, []hosts.Sign{{Source: "kubelet.service", State: "active (running)"}})
			},
			stuck: "nothing has moved", from: 2 * minute, to: 3 * minute,
		},
		"an unknown flag": {
			course: func(at time.Duration) *Look {
				api := loops(apiSource, time.Second, hosts.Ending{Code: 1, Reason: "Error"}, at)
				return onHost(refused, []hosts.Sign{api}, lines(apiSource, fmt.Sprintf("ended with code 1, started %d times", api.Attempt+1), unknownFlag))
			},
			stuck: "does not heal by itself", cause: unknownFlag, from: 30 * time.Second, to: 90 * time.Second,
		},
		"an API server at work beside a file system with little room, which is not in its way": {
			course: func(at time.Duration) *Look {
				if at > 5*minute {
					return nil
				}
				little := hosts.Evidence{Source: hosts.SourceDisk, Lines: []string{"/opt: 90 MiB of 1000 MiB are free", "/: 0 MiB of 8 MiB are free"}}
				return onHost(refused, []hosts.Sign{up(apiSource, 0, at, at.Seconds()*0.9)}, little)
			},
			from: 5 * minute, to: 6 * minute,
		},
		"an etcd whose disk is full": {
			course: func(at time.Duration) *Look {
				etcd := loops(etcdSource, time.Second, hosts.Ending{Code: 1, Reason: "Error"}, at)
				return onHost(refused, []hosts.Sign{etcd}, hosts.Evidence{Source: hosts.SourceDisk, Lines: []string{"/var/lib/etcd: 0 MiB of 1000 MiB are free"}},
					lines(etcdSource, fmt.Sprintf("ended with code 1, started %d times", etcd.Attempt+1), "write wal/0.tmp: no space left on device"))
			},
			stuck: "does not heal by itself", cause: "no space left on device", from: 30 * time.Second, to: 90 * time.Second,
		},
		"a port that another has": {
			course: func(time.Duration) *Look {
				return onHost(refused, nil, hosts.Evidence{Source: "port 6443 (kube-apiserver)", Lines: []string{"nginx listens"}})
			},
			stuck: "does not heal by itself", cause: "nginx listens", from: 40 * time.Second, to: minute,
		},
		"a port taken by what is just ending": {
			course: func(at time.Duration) *Look {
				if at > 2*minute {
					return nil
				}
				who := "kube-apiserver listens"
				if at < 30*time.Second {
					who = "nginx listens"
				}
				return onHost(refused, []hosts.Sign{up(apiSource, 0, at, at.Seconds())}, hosts.Evidence{Source: "port 6443 (kube-apiserver)", Lines: []string{who}})
			},
			from: 2 * minute, to: 3 * minute,
		},
		"an old line in a log proves nothing of now": {
			course: func(at time.Duration) *Look {
				if at > 5*minute {
					return nil
				}
				return onHost(refused, []hosts.Sign{up(apiSource, 0, at, at.Seconds())}, lines(apiSource, "running, started 2 times", "bind: address already in use"))
			},
			from: 5 * minute, to: 6 * minute,
		},
		"an image that is still on its way to the host": {
			step: plan.Step{Cluster: plan.WaitNode{Node: "cp-1", Ready: true, Patience: patient}},
			course: func(at time.Duration) *Look {
				if at > 15*minute {
					return nil
				}
				line := fmt.Sprintf(`E%d "Error syncing pod" err="ErrImageNeverPull" pod="kube-system/kube-proxy-1"`, at)
				look := onHost("not ready", nil, lines("kubelet.service", "active running", line))
				look.Working, look.Moved = []string{"cp-1"}, at
				return look
			},
			from: 15 * minute, to: 16 * minute,
		},
		"an image that will not come": {
			step: plan.Step{Cluster: plan.WaitNode{Node: "cp-1", Ready: true, Patience: patient}},
			course: func(at time.Duration) *Look {
				line := fmt.Sprintf(`E%d "Error syncing pod" err="ErrImageNeverPull" pod="kube-system/kube-proxy-1"`, at)
				return onHost("not ready", nil, lines("kubelet.service", "active running", line))
			},
			stuck: "does not heal by itself", cause: "ErrImageNeverPull", from: minute, to: 2 * minute,
		},
		"an API server that ends for want of etcd, whose other members are being made ready": {
			course: func(at time.Duration) *Look {
				api := loops(apiSource, 20*time.Second, hosts.Ending{Code: 1, Reason: "Error"}, at)
				if begun := at.Seconds() - api.Seconds; api.State == hosts.StateRunning && begun > 8*60 {
					return nil // the first that finds an etcd
				}
				look := onHost(refused, []hosts.Sign{up(etcdSource, 0, at, 1), api}, lines(etcdSource, "running", "no leader"))
				look.Moved = min(at, 8*minute) // the other hosts' images come over a slow line
				return look
			},
			from: 12 * minute, to: 13 * minute,
		},
		"an API server that ends again and again, for a reason that nobody knows": {
			course: func(at time.Duration) *Look {
				api := loops(apiSource, 5*time.Second, hosts.Ending{Code: 255, Reason: "Error"}, at)
				return onHost(refused, []hosts.Sign{up(etcdSource, 0, at, 1), api}, lines(apiSource, "ended", "F1201 strange days"))
			},
			stuck: "it ends again and again", cause: "kube-apiserver has ended 3 times in the same way, with code 255 after 5 s; it says \"F1201 strange days\"",
			from: minute, to: 3 * minute,
		},
		"the same, and the kubelet does not reach it: that comes of it": {
			course: func(at time.Duration) *Look {
				api := loops(apiSource, 5*time.Second, hosts.Ending{Code: 1, Reason: "Error"}, at)
				line := `"Failed to ensure lease exists" err="Get \"https://10.80.0.11:6443/apis/x\": dial tcp 10.80.0.11:6443: connect: connection refused"`
				return onHost(refused, []hosts.Sign{api}, lines("kubelet.service", "active running", fmt.Sprint(at, line)), lines(apiSource, "ended", "--goaway-chance can not be 7"))
			},
			stuck: "it ends again and again", cause: "goaway-chance", from: minute, to: 3 * minute,
		},
		"one that had ended eight times before, and is started every five minutes": {
			step: plan.Step{Cluster: plan.WaitAPI{Host: "cp-1", Timeout: 1800, Patience: plan.Patience{Quiet: 330, Busy: 600}}},
			course: func(at time.Duration) *Look {
				api := hosts.Sign{Source: apiSource, State: hosts.StateEnded, Attempt: 7, Seconds: (at + 4*minute).Seconds(), Ended: &hosts.Ending{Code: 1, Ran: 0.3}}
				if at > minute {
					api.Attempt, api.Seconds = 8, (at - minute).Seconds()
				}
				return onHost(refused, []hosts.Sign{api}, lines(apiSource, "ended", "--goaway-chance can not be 7"))
			},
			stuck: "it ends again and again", cause: "has ended 9 times in the same way", from: minute, to: 2 * minute,
		},
		"an etcd without a leader, which may find one": {
			course: func(at time.Duration) *Look {
				if at > 90*time.Second {
					return nil
				}
				return onHost(refused, []hosts.Sign{up(etcdSource, 0, at, 1)}, lines(etcdSource, "running", fmt.Sprintf("%d no leader", at)))
			},
			from: 90 * time.Second, to: 2 * minute,
		},
		"a host that tells nothing": {
			course: func(time.Duration) *Look {
				return &Look{Note: refused, Shown: map[string]Shown{"cp-1": {Silent: true}}}
			},
			stuck: "no host has told how it is for 10 min", from: 10 * minute, to: 12 * minute,
		},
		"a Pod of another's that has no image, of a rollout that goes on elsewhere": {
			step: plan.Step{Cluster: plan.WaitAvailable{Object: hosts.ObjectKey{Kind: "DaemonSet", Namespace: "kube-system", Name: "kube-proxy"}, Patience: patient}},
			course: func(at time.Duration) *Look {
				if at > 10*minute {
					return nil
				}
				full := hosts.Evidence{Source: hosts.SourceDisk, Lines: []string{"/var: 10 MiB of 9999 MiB are free"}}
				look := onHost(fmt.Sprintf("of 30 Pods %d are ready", at/(40*time.Second)), nil)
				look.Shown["w-3"] = Shown{Evidence: []hosts.Evidence{full}}
				return look
			},
			from: 10 * minute, to: 11 * minute,
		},
		"images that come slowly": {
			step: plan.Step{Cluster: plan.WaitNode{Node: "cp-1", Ready: true, Patience: patient}},
			course: func(at time.Duration) *Look {
				if at > 40*minute {
					return nil
				}
				return onHost("not ready", []hosts.Sign{{Source: hosts.SourceImages, Fetched: int64(at)}})
			},
			from: 40 * minute, to: 41 * minute,
		},
		"an endpoint whose hosts are busy with other things": {
			step: plan.Step{Cluster: plan.WaitEndpoint{Host: "cp-1", Patience: plan.Patience{Quiet: 120}}},
			course: func(at time.Duration) *Look {
				return onHost("no answer within 6s", []hosts.Sign{up(apiSource, 0, at, at.Seconds())}, lines(apiSource, "running", fmt.Sprint("word", strings.Repeat("x", int(at/time.Second)))))
			},
			stuck: "nothing has moved", from: 2 * minute, to: 3 * minute,
		},
		"a wait that heeds nothing": {
			step:   plan.Step{Cluster: plan.WaitAPI{Host: "cp-1"}},
			course: func(time.Duration) *Look { return onHost(refused, nil) },
			from:   2 * time.Hour, to: 2 * time.Hour,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			step := test.step
			if step.Cluster == nil {
				step = waitsForAPI
			}
			verdict, at, told := follow(step, test.course)
			if test.stuck == "" && verdict.Stuck != "" || !strings.Contains(verdict.Stuck, test.stuck) {
				t.Errorf("after %s it is stuck: %q, should be %q; last told: %q", at, verdict.Stuck, test.stuck, told[len(told)-1])
			}
			if at < test.from || at > test.to {
				t.Errorf("it ended after %s, not within %s to %s", at, test.from, test.to)
			}
			if test.cause != "" && (verdict.Cause == nil || verdict.Cause.Fix == "" || !strings.Contains(verdict.Cause.Seen, test.cause)) {
				t.Errorf("the cause is %+v, should say %q", verdict.Cause, test.cause)
			}
		})
	}
}

// TestStatusOfAWait: who watches reads what is waited for, since when, and how often it has begun.
func TestStatusOfAWait(t *testing.T) {
	killed := &hosts.Ending{Code: 137, Reason: "Error", Ran: 612}
	tests := map[string]struct {
		note  string
		signs []hosts.Sign
		want  string
	}{
		"it starts": {
			refused, []hosts.Sign{up(etcdSource, 0, 3*time.Minute, 0), up(apiSource, 85*time.Second, 3*time.Minute, 0)},
			"kube-apiserver is running, started 95 s ago, not ready yet (its startup probe gives it 10 min); connect: connection refused",
		},
		"its startup probe has ended it": {
			"", []hosts.Sign{{Source: apiSource, State: hosts.StateRunning, Seconds: 20, Attempt: 1, Ended: killed}},
			"kube-apiserver is running, started 20 s ago, not ready yet (its startup probe gives it 10 min), restart 1: before, it ended by its startup probe after 10 min: it was not ready in time",
		},
		"it has ended": {
			"", []hosts.Sign{{Source: apiSource, State: hosts.StateEnded, Seconds: 8, Attempt: 2, Ended: &hosts.Ending{Code: 1, Reason: "Error", Ran: 3}}},
			"kube-apiserver ended 8 s ago, with code 1 after 3 s; it is started again within 40 s (started 3 times so far)",
		},
		"memory": {
			"", []hosts.Sign{{Source: etcdSource, State: hosts.StateEnded, Seconds: 8, Ended: &hosts.Ending{Code: 137, Reason: "OOMKilled", Ran: 3}}},
			"etcd ended 8 s ago, for lack of memory after 3 s; it is started again within 10 s (started once so far)",
		},
		"the kubelet is no help": {
			refused, []hosts.Sign{{Source: "kubelet.service", State: "activating (auto-restart)", Attempt: 7}, {Source: "containerd.service", State: "active (running)"}},
			"kubelet is activating (auto-restart), restarted 7 times; connect: connection refused",
		},
		"images": {
			"", []hosts.Sign{{Source: hosts.SourceImages, Fetched: 12 << 20}, {Source: apiSource, State: hosts.StateCreated}},
			"kube-apiserver is made, and not started yet; images are being fetched (12 MiB so far)",
		},
		"nothing yet": {refused, nil, refused},
	}
	for name, test := range tests {
		look := onHost(test.note, test.signs)
		look.After = 20 * time.Second
		if got := NewWatch(waitsForAPI).Look(*look).Status; got != test.want {
			t.Errorf("%s:\n got %q\nwant %q", name, got, test.want)
		}
	}
}

// TestSilenceIsNoWork: a host that tells nothing is not said to be at work.
func TestSilenceIsNoWork(t *testing.T) {
	w, want := NewWatch(waitsForAPI), "for 80 s no host has told how it is: cp-1 does not tell how it is"
	w.Look(Look{After: 20 * time.Second, Shown: map[string]Shown{"cp-1": {}}})
	verdict := w.Look(Look{After: 100 * time.Second, Shown: map[string]Shown{"cp-1": {Silent: true}}})
	if verdict.Status != want || verdict.Moving != "" {
		t.Errorf("it says %q, %q moves", verdict.Status, verdict.Moving)
	}
}

func TestNewLines(t *testing.T) {
	tests := map[string]struct{ before, now, want []string }{
		"none yet":      {nil, []string{"s", "a"}, []string{"s", "a"}},
		"nothing new":   {[]string{"s", "a", "b"}, []string{"s", "a", "b"}, []string{}},
		"one more":      {[]string{"s", "a", "b"}, []string{"s", "b", "c"}, []string{"c"}},
		"all new":       {[]string{"s", "a", "b"}, []string{"s", "c", "d"}, []string{"c", "d"}},
		"started again": {[]string{"s", "a"}, []string{"t", "a"}, []string{"a"}},
	}
	for name, test := range tests {
		if got := newLines(test.before, test.now); strings.Join(got, "|") != strings.Join(test.want, "|") {
			t.Errorf("%s: %q, should be %q", name, got, test.want)
		}
	}
}

// TestWhatLastsIsKnown: each cause that ends a wait is one that is looked for.
func TestWhatLastsIsKnown(t *testing.T) {
	known := map[string]bool{}
	for _, s := range symptoms {
		known[s.name] = true
	}
	for name := range lasts {
		if !known[name] {
			t.Errorf("%s is no symptom", name)
		}
	}
}
