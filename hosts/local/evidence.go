//go:build linux

package local

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/slipway-k8s/slipway/hosts"
)

const (
	unitEvidence      = 30 // lines of a unit
	containerEvidence = 15 // lines of a container
	// evidencePatience bounds collecting it: a daemon that hangs may be the very reason.
	evidencePatience = 10 * time.Second
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

// evidencePorts are where the API server, etcd and the kubelet listen.
var evidencePorts = []int{6443, 2379, 10250}

// seeEvidence collects what may explain a failed wait. It tells what it can, and fails for
// nothing.
func (h *Host) seeEvidence(ctx context.Context, facts *hosts.Facts) error {
	within, cancel := context.WithTimeout(ctx, evidencePatience)
	defer cancel()
	var all []hosts.Evidence
	all = append(all, h.unitEvidence(within)...)
	all = append(all, h.containerEvidence(within)...)
	all = append(all, h.portEvidence(within)...)
	all = append(all, h.diskEvidence()...)
	facts.Evidence = append(all, h.clockEvidence())
	return ctx.Err()
}

func (h *Host) unitEvidence(ctx context.Context) []hosts.Evidence {
	var all []hosts.Evidence
	for _, name := range []string{"kubelet.service", "containerd.service", haproxyUnit, keepalivedUnit} {
		state, err := h.systemd.Unit(ctx, name)
		if err != nil {
			continue
		}
		if state.Load == "not-found" && (name == haproxyUnit || name == keepalivedUnit) {
			continue // most hosts carry no balancer
		}
		lines := []string{strings.TrimSpace(fmt.Sprintf("%s %s, restarted %d times", state.Active, state.Sub, state.Restarts))}
		if state.Load == "not-found" {
			lines = []string{"there is no such unit"}
		} else if said, err := h.systemd.Journal(ctx, name, unitEvidence); err == nil {
			lines = append(lines, said...)
		}
		all = append(all, hosts.Evidence{Source: name, Lines: lines})
	}
	return all
}

// containerEvidence shows the newest attempt of every container that ended, and of those
// that the cluster stands on.
func (h *Host) containerEvidence(ctx context.Context) []hosts.Evidence {
	containers, err := h.containerd.Containers(ctx)
	if err != nil {
		return nil
	}
	newest := map[string]Container{}
	for _, c := range containers {
		key := c.Pod + "/" + c.Name
		if known, ok := newest[key]; !ok || c.Attempt >= known.Attempt {
			newest[key] = c
		}
	}
	var all []hosts.Evidence
	for key, c := range newest {
		ended := !c.Running && c.ExitCode != 0
		if !ended && c.Attempt == 0 && !strings.HasPrefix(c.Pod, "kube-") {
			continue
		}
		state := "running"
		if !c.Running {
			state = fmt.Sprintf("ended with code %d %s", c.ExitCode, c.Reason)
		}
		lines := []string{strings.TrimSpace(state) + fmt.Sprintf(", started %d times", c.Attempt+1)}
		all = append(all, hosts.Evidence{
			Source: "container " + key, Lines: append(lines, tail(h.at(c.Log), containerEvidence)...),
		})
	}
	slices.SortFunc(all, func(a, b hosts.Evidence) int { return strings.Compare(a.Source, b.Source) })
	return all
}

func (h *Host) portEvidence(ctx context.Context) []hosts.Evidence {
	listeners, err := h.listeners(ctx, evidencePorts)
	if err != nil {
		return nil
	}
	var all []hosts.Evidence
	for _, port := range evidencePorts {
		who := "nobody listens"
		if name, ok := listeners[port]; ok {
			who = orDefault(name, "somebody") + " listens"
		}
		all = append(all, hosts.Evidence{Source: fmt.Sprintf("port %d", port), Lines: []string{who}})
	}
	return all
}

func (h *Host) diskEvidence() []hosts.Evidence {
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
	return []hosts.Evidence{{Source: "disk", Lines: lines}}
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
	return hosts.Evidence{Source: "clock", Lines: []string{line}}
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
