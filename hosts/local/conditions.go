//go:build linux

package local

import (
	"context"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"

	"github.com/slipway-k8s/slipway/hosts"
)

// observeConditions looks at what only checks look at.
func (h *Host) observeConditions(ctx context.Context, query hosts.Query, facts *hosts.Facts) error {
	q := *query.Conditions
	found := &hosts.Conditions{ModulesLocked: h.line("/proc/sys/kernel/modules_disabled") == "1"}
	found.Unsynchronized = clockUnsynchronized()
	found.Modules = map[string]bool{}
	for _, name := range q.Modules {
		found.Modules[name] = h.hasModule(name) || !found.ModulesLocked && h.offersModule(name)
	}
	found.MissingPrograms = slices.DeleteFunc(slices.Clone(q.Programs), h.hasProgram)
	hostsFile, err := readIfThere(h.at(hostsFile))
	if err != nil {
		return err
	}
	found.Localhost = parseHosts(string(hostsFile))["localhost"]
	if found.Mounts, err = h.mountsOf(q.Places); err != nil {
		return err
	}
	lookingAt(ctx, "systemd")
	if found.Proxy, err = h.proxies(ctx); err != nil {
		return err
	}
	if found.TimeKeeper, err = h.timeKeeper(ctx); err != nil {
		return err
	}
	if found.Conflicts, err = conflicts(ctx, q.Own); err != nil {
		return err
	}
	var routes hosts.Facts
	if err := h.observeRouteTo(ctx, hosts.Query{RouteTo: q.Peers}, &routes); err != nil {
		return err
	}
	found.RouteTo = routes.RouteTo
	if found.Outgoing, err = h.ufwOutgoing(); err != nil {
		return err
	}
	claimed := facts.Record != nil && facts.Record.Cluster.ID != ""
	if q.Leftovers != nil && !claimed {
		found.Leftovers, err = h.leftovers(ctx, *q.Leftovers)
	}
	facts.Conditions = found
	return err
}

// clockUnsynchronized tells whether the kernel says that nobody keeps its clock right. Who keeps it says so
// to the kernel: chrony, systemd-timesyncd, ntpd and the tools of virtual machines all do.
func clockUnsynchronized() bool {
	var state unix.Timex
	_, err := unix.Adjtimex(&state)
	return err == nil && state.Status&unix.STA_UNSYNC != 0
}

// timeKeepers are the units of programs that keep the clock right.
var timeKeepers = []string{
	"chronyd.service", "chrony.service", "systemd-timesyncd.service", "ntpd.service", "ntp.service", "ntpsec.service",
	"openntpd.service", "ptp4l.service", "phc2sys.service",
}

func (h *Host) timeKeeper(ctx context.Context) (string, error) {
	for _, name := range timeKeepers {
		if runs, err := h.runs(ctx, name); err != nil || runs {
			return name, err
		}
	}
	return "", nil
}

// programPlaces are where systemd's services find programs.
var programPlaces = []string{"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"}

func (h *Host) hasProgram(name string) bool {
	return slices.ContainsFunc(programPlaces, func(folder string) bool { return h.exists(filepath.Join(folder, name)) })
}

// mountsOf finds the mounts that places lie on, or would once they are made.
func (h *Host) mountsOf(places []string) (map[string]hosts.Mount, error) {
	if len(places) == 0 {
		return nil, nil
	}
	all, err := mountinfo.GetMounts(nil)
	if err != nil {
		return nil, err
	}
	found := map[string]hosts.Mount{}
	for _, place := range places {
		holder := h.mountHolding(all, place)
		if holder == nil {
			continue
		}
		options := append(strings.Split(holder.Options, ","), strings.Split(holder.VFSOptions, ",")...)
		found[place] = hosts.Mount{
			At: holder.Mountpoint, Type: holder.FSType, ReadOnly: slices.Contains(options, "ro"),
			NoExec: slices.Contains(options, "noexec"), NoSUID: slices.Contains(options, "nosuid"),
		}
	}
	return found, nil
}

// proxies are what systemd's services would take for their proxies. Where the URL of one has a password, that
// stays on the host.
func (h *Host) proxies(ctx context.Context) (map[string]string, error) {
	environment, err := h.systemd.Environment(ctx)
	if err != nil {
		return nil, err
	}
	var found map[string]string
	for _, variable := range environment {
		name, value, _ := strings.Cut(variable, "=")
		name = strings.ToLower(name)
		if value == "" || name != "http_proxy" && name != "https_proxy" && name != "no_proxy" {
			continue
		}
		if name != "no_proxy" {
			value = withoutUser(value)
		}
		if found == nil {
			found = map[string]string{}
		}
		found[name] = value
	}
	return found, nil
}

func withoutUser(proxy string) string {
	scheme := ""
	if !strings.Contains(proxy, "://") {
		scheme = "http://"
	}
	parsed, err := url.Parse(scheme + proxy)
	if err != nil {
		return "a proxy whose URL cannot be read"
	}
	parsed.User = nil
	return strings.TrimPrefix(parsed.String(), scheme)
}

// conflicts asks the network who else has addresses of this host's.
func conflicts(ctx context.Context, own []string) (map[string]string, error) {
	var found map[string]string
	for _, text := range own {
		address, err := netip.ParseAddr(text)
		if err != nil || !address.Is4() { // of IPv6 the kernel itself asks: Link.Duplicates
			continue
		}
		ports, err := networkPorts(address)
		if err != nil {
			return nil, err
		}
		for _, port := range ports {
			if !port.up || port.loopback || !slices.ContainsFunc(port.prefixes, func(p netip.Prefix) bool { return p.Addr() == address }) {
				continue
			}
			lookingAt(ctx, text)
			holder, err := port.probe(ctx, address)
			if err != nil {
				return nil, err
			}
			if holder == "" || strings.EqualFold(holder, port.hardware.String()) {
				continue
			}
			if found == nil {
				found = map[string]string{}
			}
			found[text] = holder
		}
	}
	return found, nil
}

// leftovers looks for what an earlier cluster has left.
func (h *Host) leftovers(ctx context.Context, query hosts.LeftoversQuery) (hosts.Leftovers, error) {
	var seen hosts.Facts
	q := hosts.Query{Links: query.Links, Tables: query.Tables, Chains: query.Chains}
	for what, look := range map[string]func(context.Context, hosts.Query, *hosts.Facts) error{
		hosts.LookLinks: h.observeLinks, hosts.LookTables: h.observeTables, hosts.LookChains: h.observeChains,
	} {
		lookingAt(ctx, what)
		if err := look(ctx, q, &seen); err != nil {
			return hosts.Leftovers{}, err
		}
	}
	found := hosts.Leftovers{Links: seen.Links, Tables: seen.Tables, Chains: few(seen.Chains), Units: h.danglingUnits(query.Units)}
	for _, folder := range query.Mounts {
		mounts, err := h.mountsBelow(folder)
		if err != nil {
			return hosts.Leftovers{}, err
		}
		found.Mounts = few(append(found.Mounts, mounts...))
	}
	processes, err := h.processes()
	for _, pid := range processes {
		if name := h.processName(pid); slices.Contains(query.Processes, name) {
			found.Processes = append(found.Processes, hosts.Process{PID: pid, Name: name})
		}
	}
	return found, err
}

func few(all []string) []string { return all[:min(len(all), hosts.MostLeftovers)] }

// danglingUnits are links that would start units at boot whose files are gone.
func (h *Host) danglingUnits(names []string) []string {
	var found []string
	for _, name := range names {
		links, _ := filepath.Glob(h.at("/etc/systemd/system/*.wants/" + name)) // the pattern is a good one
		for _, link := range links {
			if _, err := os.Stat(link); os.IsNotExist(err) {
				found = append(found, "/"+strings.TrimPrefix(strings.TrimPrefix(link, strings.TrimSuffix(h.root, "/")), "/"))
			}
		}
	}
	return found
}
