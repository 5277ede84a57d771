package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"github.com/slipway-k8s/slipway/lab"
)

// labFlags are those that every lab command has.
type labFlags struct {
	waits *awaited
	dir   string
	name  string
}

func (f *labFlags) open() (*lab.Lab, error) { return lab.Open(f.dir, f.name) }

func newLabCommand(waits *awaited) *cobra.Command {
	flags := &labFlags{waits: waits}
	cmd := &cobra.Command{
		Use:   "lab",
		Short: "Boot hosts on this machine to try Slipway on",
		Long: `Boot hosts on this machine to try Slipway on: real systemd and sshd in namespaces or
in virtual machines, on a network of their own that has no way out. Needs Linux and root.`,
	}
	cmd.PersistentFlags().StringVar(&flags.name, "name", "lab", "the lab's name")
	cmd.PersistentFlags().StringVar(&flags.dir, "dir", "", "where labs are kept (default $"+lab.DirVariable+" or "+lab.DefaultDir()+")")
	cmd.AddCommand(
		newLabUpCommand(flags), newLabDownCommand(flags), newLabListCommand(flags),
		newLabExecCommand(flags), newLabDialCommand(flags), newLabLinkCommand(flags),
		newLabPowerCommand(flags, "start", "Boot hosts that are down, from the disks that they had", (*lab.Lab).Start),
		newLabPowerCommand(flags, "stop", "Shut hosts down in order", (*lab.Lab).Stop),
		newLabPowerCommand(flags, "kill", "Take hosts' power away", (*lab.Lab).Kill),
	)
	return cmd
}

func newLabUpCommand(flags *labFlags) *cobra.Command {
	var counts lab.Counts
	var subnet, out, endpoint, kind, family string
	var machine lab.Machine
	var packages []string
	var output *string
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Boot a lab, or add hosts to a running one",
		Long: `Boot a lab, or add hosts to a running one until it has as many as asked for. Hosts
that were stopped or killed stay so. With --out, write a cluster file that fits the
lab; where the file exists, only hosts that it lacks are added to it.

With several control planes the file's endpoint is an address of the lab's network that
no host has (mode vip, or loadBalancers where there are such hosts); --endpoint chooses
another mode for a new file. In mode external the first load balancer's address is the
endpoint, and what runs there is yours. Where the mode is not loadBalancers, load
balancers are not in the file.

A host of the kind vm is a virtual machine under QEMU with Debian's own kernel: with control
groups version 2, modules, swap and AppArmor, or SELinux where --kernel-args security=selinux
asks for it. It takes longer to boot, and minutes where this machine has no KVM.`,
		Example: "  slipway lab up --name six --control-planes 1 --workers 1 --family dual --out six.yaml\n" +
			"  slipway lab up --name ha --control-planes 3 --workers 1 --out ha.yaml\n" +
			"  slipway lab up --name try --control-planes 1 --workers 2 --out try.yaml\n" +
			"  slipway lab up --name lbs --control-planes 3 --load-balancers 2 --out lbs.yaml\n" +
			"  slipway lab up --name real --kind vm --control-planes 1 --out real.yaml",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkEndpoint(endpoint, out); err != nil {
				return err
			}
			if family != "" && !slices.Contains(lab.Families(), family) {
				return usagef("--family %s: want one of %s", family, strings.Join(lab.Families(), ", "))
			}
			defer flags.waits.mustEnd("taking away what of the lab was begun", "what is left of it is taken away by: slipway lab down")()
			options := lab.Options{
				Name: flags.name, Dir: flags.dir, Counts: counts, ClusterFile: out, Endpoint: endpoint, Family: family,
				Kind: lab.Kind(kind), Machine: machine, Packages: packages,
				Progress: labProgress(cmd.ErrOrStderr()),
			}
			if err := options.CheckKind(); err != nil {
				return usagef("%w", err)
			}
			if subnet != "" {
				prefix, err := netip.ParsePrefix(subnet)
				if err != nil {
					return usagef("--subnet: %w", err)
				}
				options.Subnet = prefix
			}
			l, err := lab.Up(cmd.Context(), options)
			if err != nil || *output == formatText { // then the progress has said all
				return err
			}
			return showLabs(cmd.OutOrStdout(), []*lab.Lab{l}, *output)
		},
	}
	cmd.Flags().IntVar(&counts.ControlPlanes, "control-planes", 0, "control-plane hosts that the lab shall have")
	cmd.Flags().IntVar(&counts.Workers, "workers", 0, "worker hosts that the lab shall have")
	cmd.Flags().IntVar(&counts.LoadBalancers, "load-balancers", 0, "load-balancer hosts that the lab shall have")
	cmd.Flags().IntVar(&counts.Spares, "spares", 0, "hosts that are booted, but not put into the cluster file")
	cmd.Flags().StringVar(&subnet, "subnet", "", "the lab's network, when it is new (default "+lab.DefaultSubnet+")")
	cmd.Flags().StringSliceVar(&packages, "packages", nil, "packages that new hosts have too, such as firewalld,ufw; what they start is not started")
	cmd.Flags().StringVar(&family, "family", "", "the addresses of a new lab's hosts: "+strings.Join(lab.Families(), ", ")+" (default ipv4)")
	cmd.Flags().StringVar(&out, "out", "", "write the cluster file here")
	cmd.Flags().StringVar(&kind, "kind", string(lab.KindNamespace), "what new hosts are made of: namespace, or vm (a virtual machine with a kernel of its own)")
	cmd.Flags().IntVar(&machine.CPUs, "cpus", 0, "processors of a new virtual machine (default 2)")
	cmd.Flags().IntVar(&machine.Memory, "memory", 0, "memory of a new virtual machine, in MiB (default 3072)")
	cmd.Flags().IntVar(&machine.MTU, "mtu", 0, "MTU of a new virtual machine's network card (default 1500)")
	cmd.Flags().StringVar(&machine.Kernel, "kernel", "", "a new virtual machine's kernel, of Debian's: cloud or generic (default cloud)")
	cmd.Flags().StringSliceVar(&machine.KernelArguments, "kernel-args", nil, "what is added to the kernel's command line of a new virtual machine")
	cmd.Flags().StringVar(&endpoint, "endpoint", "", "the endpoint's mode in a new cluster file: "+strings.Join(lab.EndpointModes(), ", ")+" (default by the hosts)")
	output = outputFlag(cmd)
	return cmd
}

// checkEndpoint refuses, before anything boots, a mode that no file could have.
func checkEndpoint(mode, out string) error {
	switch {
	case mode == "":
		return nil
	case !slices.Contains(lab.EndpointModes(), mode):
		return usagef("--endpoint %s: want one of %s", mode, strings.Join(lab.EndpointModes(), ", "))
	case out == "":
		return usagef("--endpoint is for the cluster file: say --out as well")
	}
	return nil
}

// labProgress prints a line per event; hosts boot all at once.
func labProgress(out io.Writer) func(lab.Progress) {
	var mu sync.Mutex
	return func(p lab.Progress) {
		mu.Lock()
		defer mu.Unlock()
		if p.Host == "" {
			fmt.Fprintln(out, p.Text)
			return
		}
		fmt.Fprintf(out, "%-10s %s\n", p.Host, p.Text)
	}
}

func newLabDownCommand(flags *labFlags) *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use:   "down",
		Short: "Remove a lab and all that it is made of",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !all {
				if _, err := flags.open(); errors.Is(err, lab.ErrNotFound) {
					fmt.Fprintln(cmd.ErrOrStderr(), err)
				}
				return lab.Down(cmd.Context(), flags.dir, flags.name) // which also clears what a crash left
			}
			labs, err := lab.List(flags.dir)
			if err != nil {
				return err
			}
			var errs []error
			for _, l := range labs {
				errs = append(errs, l.Down(cmd.Context()))
			}
			return errors.Join(errs...)
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "all labs there are")
	return cmd
}

// listedLab is one lab in lab list's JSON.
type listedLab struct {
	Name  string     `json:"name"`
	Dir   string     `json:"dir"`
	Hosts []lab.Host `json:"hosts"`
}

func newLabListCommand(flags *labFlags) *cobra.Command {
	var output *string
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the labs and their hosts",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			labs, err := lab.List(flags.dir)
			if err != nil {
				return err
			}
			if cmd.Flags().Changed("name") {
				labs = slices.DeleteFunc(labs, func(l *lab.Lab) bool { return l.Name() != flags.name })
			}
			return showLabs(cmd.OutOrStdout(), labs, *output)
		},
	}
	output = outputFlag(cmd)
	return cmd
}

// showLabs looks at the labs' hosts and shows them.
func showLabs(out io.Writer, labs []*lab.Lab, format string) error {
	listed := []listedLab{}
	for _, l := range labs {
		hosts, err := l.Hosts()
		if err != nil && !errors.Is(err, lab.ErrNotFound) { // one that a crash left without a record is listed too
			return err
		}
		listed = append(listed, listedLab{l.Name(), l.Dir(), hosts})
	}
	return show(out, format, listed, func(out io.Writer) error { return printLabs(out, listed) })
}

func printLabs(out io.Writer, labs []listedLab) error {
	var rows [][]string
	for _, l := range labs {
		if len(l.Hosts) == 0 {
			rows = append(rows, []string{l.Name, "-", "-", "-", "-", "half-made: lab up completes it, lab down removes it"})
		}
		for _, h := range l.Hosts {
			rows = append(rows, []string{l.Name, h.Name, string(h.Role), string(h.Kind), h.Address.String(), string(h.State)})
		}
	}
	return writeTable(out, "LAB\tHOST\tROLE\tKIND\tADDRESS\tSTATE", rows)
}

// newLabHostCommand is a command that does something to hosts of one lab.
func newLabHostCommand(flags *labFlags, use, short string, args cobra.PositionalArgs, do func(cmd *cobra.Command, l *lab.Lab, args []string) error) *cobra.Command {
	return &cobra.Command{
		Use:   use,
		Short: short,
		Args:  args,
		RunE: func(cmd *cobra.Command, args []string) error {
			l, err := flags.open()
			if err != nil {
				return err
			}
			return do(cmd, l, args)
		},
	}
}

func newLabExecCommand(flags *labFlags) *cobra.Command {
	command := newLabHostCommand(flags, "exec HOST -- COMMAND [ARG...]", "Run a command on a host, from inside it and not by SSH", cobra.MinimumNArgs(2),
		func(cmd *cobra.Command, l *lab.Lab, args []string) error {
			streams := lab.Streams{In: cmd.InOrStdin(), Out: os.Stdout, Err: os.Stderr} // bytes as they are
			code, err := l.Run(cmd.Context(), args[0], streams, args[1:]...)
			if err == nil && code != 0 {
				return &exitError{code} // it has said why
			}
			return err
		})
	command.Example = "  slipway lab exec --name try cp-1 -- systemctl status\n  slipway lab exec --name try cp-1 -- sh -c 'cat > /root/file' < file"
	return command
}

func newLabDialCommand(flags *labFlags) *cobra.Command {
	return newLabHostCommand(flags, "dial HOST PORT", "Connect stdin and stdout to a port of a host (for proxyCommand)", cobra.ExactArgs(2),
		func(cmd *cobra.Command, l *lab.Lab, args []string) error {
			return l.Dial(cmd.Context(), net.JoinHostPort(args[0], args[1]), cmd.InOrStdin(), os.Stdout) // bytes as they are
		})
}

func newLabLinkCommand(flags *labFlags) *cobra.Command {
	upOrDown := func(_ *cobra.Command, args []string) error {
		if args[1] != "up" && args[1] != "down" {
			return usagef("link %s: want up or down", args[1])
		}
		return nil
	}
	command := newLabHostCommand(flags, "link HOST up|down", "Cut a running host off the network, or connect it again", cobra.MatchAll(cobra.ExactArgs(2), upOrDown),
		func(cmd *cobra.Command, l *lab.Lab, args []string) error {
			return l.Link(cmd.Context(), args[0], args[1] == "up")
		})
	command.ValidArgs = []string{"up", "down"}
	return command
}

// labDeed is what one of the power commands does to hosts.
type labDeed func(*lab.Lab, context.Context, ...string) error

func newLabPowerCommand(flags *labFlags, verb, short string, do labDeed) *cobra.Command {
	return newLabHostCommand(flags, verb+" HOST...", short, cobra.MinimumNArgs(1),
		func(cmd *cobra.Command, l *lab.Lab, args []string) error { return do(l, cmd.Context(), args...) })
}
