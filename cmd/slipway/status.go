package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/slipway-k8s/slipway/workflow"
)

func newStatusCommand(p *program) *cobra.Command {
	var flags clusterFlags
	command := &cobra.Command{
		Use:   "status -f FILE",
		Short: "Show hosts, nodes, versions and the health of every component",
		Args:  cobra.NoArgs,
	}
	format := outputFlag(command)
	command.RunE = func(command *cobra.Command, _ []string) error {
		if err := checkFormat(*format); err != nil {
			return err
		}
		s, err := p.open(flags, p.silent())
		if err != nil {
			return err
		}
		defer s.Close()
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
