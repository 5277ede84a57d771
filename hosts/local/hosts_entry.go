//go:build linux

package local

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/hosts"
)

const hostsFile = "/etc/hosts"

// ownHostsLine tells whether a line is Slipway's for an address.
func ownHostsLine(line, address string) bool {
	line = strings.TrimSpace(line)
	return strings.HasSuffix(line, hosts.HostsMark) && strings.HasPrefix(line, address+"\t")
}

// withHostsLine is the file with Slipway's line for an address as given, "" for none, and
// everything else as it was.
func withHostsLine(file []byte, address, wanted string) []byte {
	var out bytes.Buffer
	placed := wanted == ""
	for line := range bytes.Lines(file) {
		if !ownHostsLine(string(line), address) {
			out.Write(line)
			continue
		}
		if !placed {
			out.WriteString(wanted + "\n")
			placed = true
		}
	}
	if !placed {
		if out.Len() > 0 && !bytes.HasSuffix(out.Bytes(), []byte("\n")) {
			out.WriteByte('\n')
		}
		out.WriteString(wanted + "\n")
	}
	return out.Bytes()
}

// addHostsEntry adds a line to /etc/hosts, or replaces Slipway's own for that address.
func (h *Host) addHostsEntry(ctx context.Context, a hosts.AddHostsEntry) (hosts.Outcome, error) {
	if _, err := netip.ParseAddr(a.Address); err != nil {
		return hosts.Outcome{}, err
	}
	if len(a.Names) == 0 || slices.ContainsFunc(a.Names, func(name string) bool { return !validName.MatchString(name) }) {
		return hosts.Outcome{}, fmt.Errorf("%q are not host names", a.Names)
	}
	defer h.paths.lock(h.at(hostsFile))()
	before, err := readIfThere(h.at(hostsFile))
	if err != nil {
		return hosts.Outcome{}, err
	}
	after := withHostsLine(before, a.Address, hosts.HostsLine(a.Address, a.Names))
	if bytes.Equal(before, after) {
		return unchanged, nil
	}
	return h.apply(ctx, change{
		action: a,
		detail: strings.Join(a.Names, " "),
		note:   remember(hosts.Prior{Setting: "hosts/" + a.Address, Absent: true}),
		act:    func(context.Context) error { return rewrite(h.at(hostsFile), after) },
	})
}

// removeHostsEntry takes Slipway's line for an address out again.
func (h *Host) removeHostsEntry(address string) error {
	defer h.paths.lock(h.at(hostsFile))()
	return edit(h.at(hostsFile), func(before []byte) []byte { return withHostsLine(before, address, "") })
}
