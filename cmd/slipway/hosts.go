package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"sync"

	"github.com/spf13/cobra"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/checks"
	"github.com/slipway-k8s/slipway/phases/plan"
	"github.com/slipway-k8s/slipway/workflow"
)

func newHostsCommand(p *program) *cobra.Command {
	command := &cobra.Command{Use: "hosts", Short: "Find hosts, trust their keys, and look at them before there is a cluster"}
	command.AddCommand(p.newHostsCheckCommand(), p.newHostsTrustCommand(), p.newHostsFindCommand(), newHostsKnownCommand())
	return command
}

// probe is what looks at the hosts of a cluster file.
func (p *program) probe(flags clusterFlags) *workflow.Probe {
	front := p.silent()
	return workflow.NewProbe(workflow.Options{
		File: flags.file, Version: version, Agent: ownAgent, Login: flags.login, Dial: p.dial, Ask: front.Secret, Note: front.Note,
	})
}

func (p *program) newHostsCheckCommand() *cobra.Command {
	var flags clusterFlags
	command := &cobra.Command{
		Use:   "check -f FILE [HOST...]",
		Short: "Connect to hosts, show what they are, and what would stand in init's way",
		Long: `Connect to all hosts of the file, or to those named, at the same time, and show what they are. Below the
table stands of each host that was not reached why, and what to do; of those that were, what init would refuse or
warn of, as far as that shows without a bundle. Nothing is changed on a host.

Exits with 1 where a host is not reached.`,
		ValidArgsFunction: p.completeArgs(workflow.Workflow{Args: workflow.Hosts}),
	}
	flags.add(command)
	format := outputFlag(command)
	command.RunE = func(command *cobra.Command, names []string) error {
		c, err := p.loadConfig(flags.file)
		if err != nil {
			return err
		}
		wanted, err := hostsOfFile(c, names)
		if err != nil {
			return err
		}
		probe := p.probe(flags)
		defer probe.Close()
		found := p.checkHosts(command.Context(), probe, c, wanted, flags.file)
		if err := command.Context().Err(); err != nil {
			return err
		}
		return found.result().show(command.OutOrStdout(), *format)
	}
	return command
}

// hostsOfFile are the hosts of the file with these names, in its order; all where none is named.
func hostsOfFile(c *cluster.Cluster, names []string) ([]cluster.Host, error) {
	for _, name := range names {
		if _, known := c.Host(name); !known {
			return nil, usagef("hosts: the cluster file has no host %q", name)
		}
	}
	return slices.DeleteFunc(slices.Clone(c.Hosts), func(h cluster.Host) bool {
		return len(names) > 0 && !slices.Contains(names, h.Name)
	}), nil
}

// hostsChecked is what a look at hosts has shown.
type hostsChecked struct {
	Hosts    []hostRow        `json:"hosts"`
	Findings []checks.Finding `json:"findings"`
}

// hostRow is a host in a table.
type hostRow struct {
	Name           string     `json:"name"`
	Address        string     `json:"address"`
	Connection     string     `json:"connection"`     // ok, or why not
	ConnectionKind string     `json:"connectionKind"` // ok, failed, or the kind of what went wrong
	Fix            string     `json:"fix,omitempty"`
	Key            *hostKey   `json:"unknownKey,omitempty"`
	User           string     `json:"user"`           // who logs in
	Sudo           bool       `json:"sudo,omitempty"` // and becomes root by it
	Facts          *hostFacts `json:"facts,omitempty"`
}

// hostFacts is what is shown of a host that was reached.
type hostFacts struct {
	OS            string `json:"os"`
	Arch          string `json:"arch"`
	Kernel        string `json:"kernel"`
	CgroupVersion int    `json:"cgroupVersion"`
	CPUs          int    `json:"cpus"`
	Memory        int64  `json:"memory"`       // bytes
	FreeDisk      int64  `json:"freeDisk"`     // bytes, of the file system that has the least
	FreeDiskPath  string `json:"freeDiskPath"` // a path on it that Slipway writes to
}

// hostKey is a host's key.
type hostKey struct {
	Type        string `json:"type"`
	Fingerprint string `json:"fingerprint"`
	File        string `json:"file"` // where it is to stand
}

// checkHosts tries hosts at the same time, and says for whom it waits.
func (p *program) checkHosts(ctx context.Context, probe *workflow.Probe, c *cluster.Cluster, wanted []cluster.Host, file string) hostsChecked {
	found := hostsChecked{Hosts: make([]hostRow, len(wanted))}
	var wait sync.WaitGroup
	for i, h := range wanted {
		wait.Go(func() {
			at := plan.Event{Type: plan.EventStageStarted, Stage: workflow.StageConnect, Host: h.Name}
			tried := probe.Try(ctx, h, func(what string) {
				event := at
				event.Detail = what
				p.waits.Event(event)
			})
			at.Type = plan.EventStageFinished
			p.waits.Event(at)
			found.Hosts[i] = rowOf(tried, file)
		})
	}
	wait.Wait()
	findings, _ := probe.Check(ctx, c, workflow.HostChecks...)
	found.Findings = append([]checks.Finding{}, findings...)
	return found
}

func rowOf(tried workflow.Probed, file string) hostRow {
	h := tried.Host
	row := hostRow{
		Name: h.Name, Address: h.Address(), User: tried.User,
		Connection: workflow.ConnectionOK, ConnectionKind: tried.ConnectionKind(),
	}
	if tried.Err != nil {
		row.Connection, row.Fix = hosts.CleanLine(tried.Err.Error()), hosts.CleanLine(tried.Fix(file))
		if tried.Key != nil {
			row.Key = &hostKey{tried.Key.Type, tried.Key.Fingerprint, tried.Key.File}
		}
		return row
	}
	facts := tried.Facts
	row.Sudo = tried.User != "root"
	row.Facts = &hostFacts{
		OS: hosts.CleanLine(facts.OS.Pretty), Arch: hosts.CleanLine(facts.Arch), Kernel: hosts.CleanLine(facts.Kernel),
		CgroupVersion: facts.Cgroup.Version, CPUs: facts.CPUs, Memory: facts.Memory,
	}
	if len(facts.Disks) > 0 {
		least := slices.MinFunc(facts.Disks, func(a, b hosts.Disk) int { return cmp.Compare(a.Free, b.Free) })
		row.Facts.FreeDisk, row.Facts.FreeDiskPath = least.Free, hosts.CleanLine(least.Path)
	}
	return row
}

func (c hostsChecked) result() result {
	found := result{value: c, text: c.text}
	if slices.ContainsFunc(c.Hosts, func(h hostRow) bool { return h.ConnectionKind != workflow.ConnectionOK }) {
		found.exit = exitFailed
	}
	return found
}

func (c hostsChecked) text(w io.Writer) error {
	var rows [][]string
	for _, h := range c.Hosts {
		user := h.User
		if h.Sudo {
			user += ", sudo"
		}
		row := []string{h.Name, dash(h.Address), h.ConnectionKind, user}
		if f := h.Facts; f != nil {
			row = append(row, dash(f.OS), dash(f.Kernel), "v"+strconv.Itoa(f.CgroupVersion), strconv.Itoa(f.CPUs), fmt.Sprintf("%.1f GiB", float64(f.Memory)/(1<<30)), hosts.Size(f.FreeDisk))
		} else {
			row = append(row, slices.Repeat([]string{dash("")}, 6)...)
		}
		rows = append(rows, row)
	}
	if err := writeTable(w, "HOST\tADDRESS\tSSH\tUSER\tSYSTEM\tKERNEL\tCGROUPS\tCPUS\tMEMORY\tFREE DISK", rows); err != nil {
		return err
	}
	return c.reasons(w)
}

// reasons says what is not well: first the hosts that were not reached.
func (c hostsChecked) reasons(w io.Writer) error {
	var all []checks.Finding
	for _, h := range c.Hosts {
		if h.ConnectionKind != workflow.ConnectionOK {
			all = append(all, checks.Finding{Check: "SSH", Host: h.Name, Severity: checks.Error, Seen: h.Connection, Fix: h.Fix})
		}
	}
	all = append(all, c.Findings...)
	if len(all) == 0 {
		return nil
	}
	fmt.Fprintln(w, "\nwhat is not well:")
	for _, one := range all {
		where := one.Check
		if one.Host != "" {
			where = one.Host + ", " + where
		}
		if _, err := fmt.Fprintf(w, "  %s %s: %s\n", mark(one.Severity), where, hosts.CleanLine(one.Seen)); err != nil {
			return err
		}
		if one.Fix != "" {
			fmt.Fprintf(w, "      → %s\n", hosts.CleanLine(one.Fix))
		}
	}
	return nil
}

// fingerprint is how OpenSSH writes one.
var fingerprint = regexp.MustCompile(`^SHA256:[A-Za-z0-9+/]{43}$`)

func (p *program) newHostsTrustCommand() *cobra.Command {
	var flags clusterFlags
	command := &cobra.Command{
		Use:   "trust -f FILE HOST FINGERPRINT",
		Short: "Add a host's key to the known hosts, where it has this fingerprint",
		Long: `Connect to a host as far as its key and, where that has the fingerprint, add it to known_hosts: to the file
that ssh.knownHostsFile names, else to ~/.ssh/known_hosts. With any other key nothing is written. A key that is not
the one that is known, or that is revoked, is refused in any case.

Read the fingerprint on the host itself (its console, or what the provider shows of it), and not through the
network on which somebody may be in between: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub`,
		Example:           "  slipway hosts trust -f ha.yaml cp-1 SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU",
		ValidArgsFunction: p.completeArgs(workflow.Workflow{Args: workflow.Hosts}),
		Args: func(_ *cobra.Command, args []string) error {
			switch {
			case len(args) != 2:
				return usagef("hosts trust: name a host and the fingerprint of its key")
			case !fingerprint.MatchString(args[1]):
				return usagef("hosts trust: %q is no fingerprint as ssh-keygen -l writes it: SHA256: and 43 characters", args[1])
			}
			return nil
		},
	}
	flags.add(command)
	format := outputFlag(command)
	command.RunE = func(command *cobra.Command, args []string) error {
		c, err := p.loadConfig(flags.file)
		if err != nil {
			return err
		}
		named, err := hostsOfFile(c, args[:1])
		if err != nil {
			return err
		}
		probe := p.probe(flags)
		defer probe.Close()
		key, added, err := probe.Trust(command.Context(), named[0], args[1])
		if err != nil {
			return err
		}
		return trusted(args[0], key, added).show(command.OutOrStdout(), *format)
	}
	return command
}

// trusted tells what was added to which file.
func trusted(host string, key *workflow.HostKey, added bool) result {
	value := map[string]any{"host": host, "type": key.Type, "fingerprint": key.Fingerprint, "added": added}
	if added {
		value["file"], value["line"] = key.File, key.Line
	}
	return result{value: value, text: func(w io.Writer) error {
		if !added {
			_, err := fmt.Fprintf(w, "%s: its %s key %s was known already; nothing was written\n", host, key.Type, key.Fingerprint)
			return err
		}
		_, err := fmt.Fprintf(w, "%s: its %s key %s is known from now on; %s has a new line:\n%s\n", host, key.Type, key.Fingerprint, key.File, key.Line)
		return err
	}}
}

func (p *program) newHostsFindCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "find CIDR",
		Short: "List the addresses of a range where an sshd may listen",
		Long: `Connect to TCP port 22 of each address of a range, say nothing, and list those where somebody listens, with the
name by which ~/.ssh/config or known_hosts knows them. At most 1024 addresses are tried, 64 at a time and for a
second each. Ask whose network it is before you try: some take it for an attack.`,
		Example: "  slipway hosts find 192.0.2.0/24",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usagef("hosts find: name one range of addresses, such as 192.0.2.0/24")
			}
			return nil
		},
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	format := outputFlag(command)
	command.RunE = func(command *cobra.Command, args []string) error {
		prefix, err := netip.ParsePrefix(args[0])
		if err != nil {
			return usagef("hosts find: %q is no range of addresses, such as 192.0.2.0/24", args[0])
		}
		var addresses []netip.Addr
		if err := workflow.FindHosts(command.Context(), prefix, p.knock, func(a netip.Addr) { addresses = append(addresses, a) }); err != nil {
			return err
		}
		slices.SortFunc(addresses, netip.Addr.Compare)
		known, _ := workflow.Candidates() // their names are an extra
		return foundHosts(prefix, addresses, known).show(command.OutOrStdout(), *format)
	}
	return command
}

// foundHost is an address where somebody listens.
type foundHost struct {
	Address string `json:"address"`
	Name    string `json:"name,omitempty"` // by which the operator's machine knows it
}

func foundHosts(prefix netip.Prefix, addresses []netip.Addr, known []workflow.Candidate) result {
	list := []foundHost{}
	var rows [][]string
	for _, address := range addresses {
		one := foundHost{Address: address.String()}
		for _, candidate := range known {
			if candidate.Host == one.Address && candidate.Name != one.Address && one.Name == "" {
				one.Name = candidate.Name
			}
		}
		list, rows = append(list, one), append(rows, []string{one.Address, dash(hosts.CleanLine(one.Name))})
	}
	return result{value: list, text: func(w io.Writer) error {
		if len(rows) == 0 {
			_, err := fmt.Fprintf(w, "nobody listens on port 22 in %s\n", prefix)
			return err
		}
		return writeTable(w, "ADDRESS\tKNOWN AS", rows)
	}}
}

func newHostsKnownCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "known",
		Short: "List the hosts of ~/.ssh/config and known_hosts",
		Long: `List the hosts that stand in ~/.ssh/config under a name without wildcards, with what it says of each, and those that
stand in ~/.ssh/known_hosts alone, where their names are not hashed. A host of the cluster file whose ssh.host is such a
name is reached as it says, where the cluster file says nothing else. A ProxyJump is shown as the proxyCommand that it
comes to.`,
		Args:              cobra.NoArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	format := outputFlag(command)
	command.RunE = func(command *cobra.Command, _ []string) error {
		known, err := workflow.Candidates()
		if err != nil {
			return err
		}
		return knownHosts(known).show(command.OutOrStdout(), *format)
	}
	return command
}

func knownHosts(known []workflow.Candidate) result {
	list := append([]workflow.Candidate{}, known...)
	return result{value: list, text: func(w io.Writer) error {
		if len(list) == 0 {
			_, err := fmt.Fprintln(w, "neither ~/.ssh/config nor ~/.ssh/known_hosts names a host")
			return err
		}
		var rows [][]string
		for _, one := range list {
			row := []string{one.Name, one.Host, strconv.Itoa(cmp.Or(one.Port, cluster.DefaultSSHPort)), one.User, one.IdentityFile, one.ProxyCommand, one.From}
			for i, cell := range row {
				row[i] = dash(hosts.CleanLine(cell))
			}
			rows = append(rows, row)
		}
		return writeTable(w, "NAME\tHOST\tPORT\tUSER\tIDENTITY FILE\tPROXY COMMAND\tFROM", rows)
	}}
}
