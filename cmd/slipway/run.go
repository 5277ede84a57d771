package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/workflow"
)

func newRunCommand(p *program) *cobra.Command {
	var flags clusterFlags
	var wanted workflow.Command
	var role string
	command := &cobra.Command{
		Use:   "run -f FILE [--role ROLE] [HOST...] -- COMMAND [ARGUMENT...]",
		Short: "Run a command on hosts, as root, and show what it wrote by host",
		Long: `Run a command on all hosts that are meant at the same time, as root, through the agent. There is no
shell between: what is typed after -- is the program and its arguments, as they are. It has no input, and a
fixed environment. Of each of its two streams the first 256 KiB are kept. No lease is taken; who
else works on a host is said.

The host's journal names the program, and not its arguments.`,
		Example: "  slipway run -f ha.yaml --role worker -- systemctl is-active kubelet\n  slipway run -f ha.yaml cp-1 -- sh -c 'df -h /var | tail -1'",
	}
	flags.add(command)
	command.Flags().StringVar(&role, "role", "", "all hosts with this role: control-plane, worker or load-balancer")
	command.Flags().BoolVar(&wanted.All, "all", false, "every host of the file")
	command.Flags().DurationVar(&wanted.Limit, "timeout", time.Minute, "kill the command, and what it has started, after this time")
	_ = command.RegisterFlagCompletionFunc("role", cobra.FixedCompletions(roleNames, cobra.ShellCompDirectiveNoFileComp))
	format := outputFlag(command)
	command.RunE = func(command *cobra.Command, args []string) error {
		var err error
		if wanted.Hosts, wanted.Argv, err = hostsAndCommand(args, command.ArgsLenAtDash()); err != nil {
			return err
		}
		if wanted.Role, err = roleOf(role); err != nil {
			return err
		}
		s, err := p.open(flags, p.silent())
		if err != nil {
			return err
		}
		defer s.Close()
		lines := hostLines{out: command.OutOrStdout(), err: command.ErrOrStderr()}
		tell := lines.tell
		if *format != formatText {
			tell = func(workflow.CommandResult) {}
		}
		results, err := s.RunCommand(command.Context(), wanted, tell)
		if *format != formatText && len(results) > 0 {
			err = errors.Join(err, show(command.OutOrStdout(), *format, results, nil))
		}
		return err
	}
	return command
}

// roleNames are the roles that hosts can have.
var roleNames = []string{string(cluster.RoleControlPlane), string(cluster.RoleWorker), string(cluster.RoleLoadBalancer)}

func roleOf(name string) (cluster.Role, error) {
	for _, known := range append([]string{""}, roleNames...) {
		if name == known {
			return cluster.Role(name), nil
		}
	}
	return "", usagef("run: --role %s: the roles are %s", name, strings.Join(roleNames, ", "))
}

// hostsAndCommand tells what stands before -- from what stands after it.
func hostsAndCommand(args []string, dash int) (names, argv []string, err error) {
	if dash < 0 || dash == len(args) {
		return nil, nil, usagef("run: put the command after --, as in: slipway run -f FILE --role worker -- uptime")
	}
	return args[:dash], args[dash:], nil
}

// hostLines writes what hosts' commands have written, each line with its host before it. What a host
// writes is cleaned: it cannot steer the terminal, nor begin a line as if it were another host.
type hostLines struct {
	mu       sync.Mutex
	out, err io.Writer
}

func (l *hostLines) tell(r workflow.CommandResult) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if r.Lease != "" {
		l.write(l.err, r.Host, "note: "+r.Lease)
	}
	if r.CommandOutput != nil {
		l.write(l.out, r.Host, r.Stdout)
		l.write(l.err, r.Host, r.Stderr)
		if r.LeftOut > 0 {
			l.write(l.err, r.Host, fmt.Sprintf("(%d bytes left out)", r.LeftOut))
		}
	}
	if why := ending(r); why != "" {
		l.write(l.err, r.Host, why)
	}
}

// ending is how a command ended that failed.
func ending(r workflow.CommandResult) string {
	switch {
	case !r.Failed():
		return ""
	case r.Error != "":
		return "failed: " + r.Error
	case r.Cause != "":
		return fmt.Sprintf("failed: exit code %d: %s", r.Code, r.Cause)
	}
	return fmt.Sprintf("failed: exit code %d", r.Code)
}

func (l *hostLines) write(to io.Writer, host, text string) {
	if text == "" {
		return
	}
	for line := range strings.SplitSeq(strings.TrimSuffix(hosts.Clean(text), "\n"), "\n") {
		fmt.Fprintf(to, "%s | %s\n", host, line)
	}
}
