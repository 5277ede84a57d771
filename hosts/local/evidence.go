//go:build linux

package local

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"github.com/slipway-k8s/slipway/hosts"
)

const (
	unitEvidence      = 30 // lines of a unit
	containerEvidence = 15 // lines of a container
	// lowSpace is the part of a disk below which it is worth telling.
	lowSpace = 10
	// evidenceReach is how much of a log's end is read.
	evidenceReach = 64 << 10
)

// The units of a balancer.
const (
	haproxyUnit    = "haproxy.service"
	keepalivedUnit = "keepalived.service"
)

// componentPort is where a component of the cluster should listen.
type componentPort struct {
	component string
	port      int
}

// ownNamespaces are those of static Pods and add-ons. Other Pods' logs are not read: they explain
// nothing here, and anybody may have written them.
var ownNamespaces = []string{"kube-system", "kube-flannel"}

// observeEvidence collects what may explain a failed wait, everything at the same time. What
// cannot be read is left out, and who does not answer is named: it never fails.
func (h *Host) observeEvidence(ctx context.Context, query hosts.Query, facts *hosts.Facts) error {
	ports := []componentPort{{hosts.ComponentAPIServer, query.APIPort}, {hosts.ComponentEtcd, 2379}, {hosts.ComponentKubelet, 10250}}
	looks := []struct {
		at   func(context.Context) seen
		whom string // is asked
	}{
		{h.unitEvidence, hosts.SourceSystemd},
		{h.containerEvidence, hosts.SourceContainerd},
		{func(ctx context.Context) seen { return seen{evidence: h.portEvidence(ctx, ports)} }, "the host's /proc"},
		{func(ctx context.Context) seen { return seen{evidence: h.diskEvidence(ctx)} }, hosts.SourceFileSystem},
	}
	found := make([]seen, len(looks))
	var group sync.WaitGroup
	for i, look := range looks {
		group.Go(func() { found[i] = inTime(ctx, h.evidenceTime(), look.at, look.whom) })
	}
	group.Wait()
	for _, one := range found {
		facts.Evidence, facts.Signs = append(facts.Evidence, one.evidence...), append(facts.Signs, one.signs...)
	}
	facts.Evidence = append(facts.Evidence, h.clockEvidence())
	for i, evidence := range facts.Evidence {
		facts.Evidence[i] = evidence.Clean()
	}
	for i, sign := range facts.Signs {
		facts.Signs[i] = sign.Clean()
	}
	return ctx.Err()
}

// seen is what one look has found.
type seen struct {
	evidence []hosts.Evidence
	signs    []hosts.Sign
}

func onlyEvidence(evidence ...hosts.Evidence) seen { return seen{evidence: evidence} }

// evidenceTime bounds each part of collecting evidence, below what any look has: a daemon that does not answer
// may be the cause, and is named.
func (h *Host) evidenceTime() time.Duration { return h.timeout * 2 / 3 }

// inTime looks for so long, and says who was asked where no answer comes by then.
func inTime(ctx context.Context, bound time.Duration, look func(context.Context) seen, whom string) seen {
	grace := bound / 8 // for a look that ends by its context
	found, none, err := within(ctx, bound+grace, whom, func(ctx context.Context) (seen, error) {
		ctx, cancel := context.WithTimeout(ctx, bound)
		defer cancel()
		return look(ctx), nil
	})
	if none != nil {
		return onlyEvidence(unanswered(whom, bound))
	}
	if err != nil { // the look has a fault
		return onlyEvidence(hosts.Evidence{Source: whom, Lines: []string{err.Error()}})
	}
	return found
}

const unitAbsent = "there is no such unit"

func (h *Host) unitEvidence(ctx context.Context) seen {
	var all []hosts.Evidence
	var signs []hosts.Sign
	for _, name := range []string{"kubelet.service", "containerd.service", haproxyUnit, keepalivedUnit} {
		state, err := h.systemd.Unit(ctx, name)
		if timedOut(ctx, err) {
			return seen{append(all, unanswered(hosts.SourceSystemd, h.evidenceTime())), signs}
		}
		if err != nil {
			continue
		}
		line := strings.TrimSpace(fmt.Sprintf("%s %s, restarted %d times", state.Active, state.Sub, state.Restarts))
		if state.Load == "not-found" {
			if name == haproxyUnit || name == keepalivedUnit {
				continue // most hosts carry no balancer
			}
			line = unitAbsent
		} else {
			signs = append(signs, h.unitSign(name, state))
		}
		all = append(all, hosts.Evidence{Source: name, Lines: []string{line}})
	}
	// Reading the journal may take long on a busy host, which says nothing of systemd.
	var group errgroup.Group
	for i := range all {
		if all[i].Lines[0] == unitAbsent {
			continue
		}
		group.Go(caught(func() error {
			if said, err := h.systemd.Journal(ctx, all[i].Source, unitEvidence); err == nil {
				all[i].Lines = append(all[i].Lines, said...)
			}
			return nil
		}))
	}
	if err := group.Wait(); err != nil {
		all = append(all, hosts.Evidence{Source: hosts.SourceSystemd, Lines: []string{err.Error()}})
	}
	return seen{all, signs}
}

// timedOut tells whether a call ended because nobody answered it in time.
func timedOut(ctx context.Context, err error) bool {
	return err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded)
}

// unanswered is the evidence that somebody did not answer.
func unanswered(who string, bound time.Duration) hosts.Evidence {
	return hosts.Evidence{Source: who, Lines: []string{fmt.Sprintf("no answer within %s", bound)}}
}

// containerEvidence shows the newest attempt of every container of the cluster's own Pods
// that ended, and of those that the cluster stands on.
func (h *Host) containerEvidence(ctx context.Context) seen {
	containers, err := h.containerd.Containers(ctx)
	if timedOut(ctx, err) {
		return onlyEvidence(unanswered(hosts.SourceContainerd, h.evidenceTime()))
	}
	if err != nil {
		return seen{}
	}
	newest, before := map[string]Container{}, map[string]Container{}
	for _, c := range containers {
		namespace, _, _ := strings.Cut(c.Pod, "/")
		if !slices.Contains(ownNamespaces, namespace) {
			continue
		}
		key := c.Pod + "/" + c.Name
		known, ok := newest[key]
		switch {
		case !ok:
			newest[key] = c
		case c.Attempt >= known.Attempt:
			newest[key], before[key] = c, known
		case c.Attempt >= before[key].Attempt:
			before[key] = c
		}
	}
	signs := h.imageSigns(ctx)
	var all []hosts.Evidence
	for key, c := range newest {
		state := "running"
		if !c.Running {
			state = fmt.Sprintf("ended with code %d %s", c.ExitCode, c.Reason)
		}
		lines := []string{strings.TrimSpace(state) + fmt.Sprintf(", started %d times", c.Attempt+1)}
		all = append(all, hosts.Evidence{
			Source: "container " + key, Lines: append(lines, tail(h.at(c.Log), containerEvidence)...),
		})
		signs = append(signs, h.containerSign("container "+key, c, before[key]))
	}
	slices.SortFunc(all, func(a, b hosts.Evidence) int { return strings.Compare(a.Source, b.Source) })
	slices.SortFunc(signs, func(a, b hosts.Sign) int { return strings.Compare(a.Source, b.Source) })
	return seen{all, signs}
}

func (h *Host) portEvidence(ctx context.Context, ports []componentPort) []hosts.Evidence {
	var numbers []int
	for _, one := range ports {
		numbers = append(numbers, one.port)
	}
	listeners, err := h.listeners(ctx, numbers)
	if err != nil {
		return nil
	}
	var all []hosts.Evidence
	for _, one := range ports {
		who := "nobody listens"
		if name, ok := listeners[one.port]; ok {
			who = cmp.Or(name, "somebody") + " listens"
		}
		all = append(all, hosts.Evidence{Source: fmt.Sprintf("port %d (%s)", one.port, one.component), Lines: []string{who}})
	}
	return all
}

func (h *Host) diskEvidence(context.Context) []hosts.Evidence {
	var lines []string
	for _, path := range writtenPlaces {
		free, size, err := space(h.at(path))
		if err == nil && size > 0 && free*100/size < lowSpace {
			lines = append(lines, fmt.Sprintf("%s: %d MiB of %d MiB are free", path, free>>20, size>>20))
		}
	}
	if len(lines) == 0 {
		return nil
	}
	return []hosts.Evidence{{Source: hosts.SourceDisk, Lines: lines}}
}

// clockEvidence tells the host's time, and whether its kernel knows it as synchronised.
func (h *Host) clockEvidence() hosts.Evidence {
	line := h.now().UTC().Format(time.RFC3339)
	var timex unix.Timex
	if state, err := unix.Adjtimex(&timex); err == nil {
		const unsynchronised = 5 // TIME_ERROR
		if state == unsynchronised {
			line += ", not synchronised"
		} else {
			line += ", synchronised"
		}
	}
	return hosts.Evidence{Source: hosts.SourceClock, Lines: []string{line}}
}

// tail is the last lines of a file; of a log in CRI's form, without its first three fields.
func tail(path string, lines int) []string {
	file, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer file.Close()
	size, err := file.Seek(0, io.SeekEnd)
	if err != nil {
		return nil
	}
	start := max(0, size-evidenceReach)
	data := make([]byte, size-start)
	if n, err := file.ReadAt(data, start); err != nil && !errors.Is(err, io.EOF) {
		return nil
	} else {
		data = data[:n]
	}
	if start > 0 {
		_, data, _ = bytes.Cut(data, []byte("\n")) // a line that was cut
	}
	var all []string
	for line := range bytes.Lines(data) {
		all = append(all, logText(strings.TrimRight(string(line), "\n")))
	}
	return all[max(0, len(all)-lines):]
}

// logText is a line of a container's log without time, stream and tag.
func logText(line string) string {
	fields := strings.SplitN(line, " ", 4)
	if len(fields) == 4 && (fields[1] == "stdout" || fields[1] == "stderr") {
		return fields[3]
	}
	return line
}
