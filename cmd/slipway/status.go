package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/slipway-k8s/slipway/workflow"
)

func newStatusCommand(p *program) *cobra.Command {
	var flags clusterFlags
	var watch bool
	command := &cobra.Command{
		Use:   "status -f FILE",
		Short: "Show hosts, nodes, versions and the health of every component",
		Long: `Show hosts, nodes, versions and the health of every component. The exit code is 0 where all is
well, else 1.

To ask the cluster takes its keys. Where this machine has none of a cluster that is there, they are
fetched from a control plane, and kept in the state folder; nothing is changed on any host.

With --watch it goes on, and shows all again whenever something has changed, until it is
interrupted; that is its usual end, with the exit code 0. On a terminal the table is drawn anew in
its place. With -o json there is an object per line, which has more than the table: what is known
of each host, Pods that are not well, and warnings.`,
		Args: cobra.NoArgs,
	}
	format := outputFlag(command)
	command.RunE = func(command *cobra.Command, _ []string) error {
		if watch && *format == formatYAML {
			return usagef("--watch shows text or json, not yaml")
		}
		s, err := p.open(flags, p.silent())
		if err != nil {
			return err
		}
		defer s.Close()
		if watch {
			return watchStatus(command.Context(), s, command.OutOrStdout(), *format)
		}
		view := statusView{out: command.OutOrStdout(), format: *format}
		found, err := s.Status(command.Context(), view.early())
		if err != nil {
			return err
		}
		if err := view.show(found); err != nil {
			return err
		}
		if !found.Healthy() {
			return &exitError{exitFailed}
		}
		return nil
	}
	flags.add(command)
	command.Flags().BoolVarP(&watch, "watch", "w", false, "show it again whenever something changes, until interrupted")
	return command
}

// statusView shows a status; as text in parts, where some hosts are slow.
type statusView struct {
	out    io.Writer
	format string
	shown  *workflow.Status // what is shown already
}

// early shows what is there before all of it is; nil where a program is to read it.
func (v *statusView) early() func(workflow.Status) error {
	if v.format != formatText {
		return nil
	}
	return func(found workflow.Status) error {
		v.shown = &found
		return writeStatus(v.out, found)
	}
}

// show shows all or, of what is shown in part already, the hosts that were missing: a line each
// where they are down, and all anew where one has answered.
func (v *statusView) show(found workflow.Status) error {
	if v.shown == nil {
		return show(v.out, v.format, found, func(w io.Writer) error { return writeStatus(w, found) })
	}
	fmt.Fprintln(v.out)
	var late workflow.Status
	for i, h := range v.shown.Hosts {
		if !h.Waiting() {
			continue
		}
		if found.Hosts[i].ConnectionKind == workflow.ConnectionOK {
			fmt.Fprintf(v.out, "hosts that were slow have answered:\n\n")
			return writeStatus(v.out, found)
		}
		late.Hosts = append(late.Hosts, found.Hosts[i])
	}
	if err := writeHosts(v.out, late.Hosts); err != nil {
		return err
	}
	return writeReasons(v.out, late.Reasons())
}
