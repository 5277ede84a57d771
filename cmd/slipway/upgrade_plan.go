package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/checks"
	"github.com/slipway-k8s/slipway/phases/plan"
	"github.com/slipway-k8s/slipway/workflow"
)

// newUpgradePlanCommand tells what an upgrade would change and what stands in its way.
func (p *program) newUpgradePlanCommand() *cobra.Command {
	command := p.newShowCommand(workflow.UpgradeApply, func(ctx context.Context, s *workflow.Session, run *workflow.Run) (result, error) {
		found, err := s.UpgradePlan(ctx, run)
		if err != nil {
			return result{}, err
		}
		shown := result{value: found, text: func(w io.Writer) error { return writeUpgradePlan(w, found) }}
		if found.Stopped() {
			shown.exit = exitRefused
		}
		return shown, nil
	})
	command.Use = "plan -f FILE --bundle FILE"
	command.Short = "Show what an upgrade would change, and what stands in its way"
	command.Long = `Show which versions run and which the bundle has, the upgrades that lead there, every gate
with what it found, what becomes of the Pods, and the files of each host that would change. Nothing
is changed. It has the flags of 'slipway upgrade apply'. The plan is shown as if every gate that can be
ignored were ignored. Exit code 4 where a gate stops the upgrade. Each single step is shown by:
slipway plan upgrade apply`
	command.Example = "  slipway upgrade plan -f ha.yaml --bundle new.tar"
	return command
}

func writeUpgradePlan(w io.Writer, u workflow.UpgradePlan) error {
	fmt.Fprintln(w, hosts.CleanLine(versionsInWords(u)))
	if err := writeSection(w, "COMPONENT\tHOSTS\tCURRENT\tTARGET", componentRows(u.Components)); err != nil {
		return err
	}
	writeGates(w, u.Gates, u.NotLookedAt)
	if u.Forecast != nil {
		fmt.Fprintln(w)
		if err := writeForecast(w, *u.Forecast); err != nil {
			return err
		}
	}
	if u.Plan == nil {
		_, err := fmt.Fprintln(w, "\nWhat would change is not shown: a gate stops the upgrade that cannot be ignored. Remove its cause, then ask again.")
		return err
	}
	writeChanges(w, u.Changes)
	short := *u.Plan
	short.Warnings, short.Versions = nil, "" // the gates have told them, and the first line
	_, err := fmt.Fprint(w, "\n"+plan.Summary(short))
	return err
}

// versionsInWords says from where to where the upgrade leads, and by which way.
func versionsInWords(u workflow.UpgradePlan) string {
	switch {
	case u.Runs == "":
		return fmt.Sprintf("%s: no API server answers; the bundle has Kubernetes %s.", u.Cluster, u.Offered)
	case len(u.Hops) == 0:
		return fmt.Sprintf("%s runs Kubernetes %s; the bundle has %s.", u.Cluster, u.Runs, u.Offered)
	case len(u.Hops) == 1:
		return fmt.Sprintf("%s runs Kubernetes %s; the bundle has %s: one upgrade leads there.", u.Cluster, u.Runs, u.Offered)
	}
	return fmt.Sprintf("%s runs Kubernetes %s; the bundle has %s: %d upgrades lead there, to %s.",
		u.Cluster, u.Runs, u.Offered, len(u.Hops), strings.Join(u.Hops, ", then "))
}

// namedHosts is how many hosts are named; of more the number is told.
const namedHosts = 4

func componentRows(components []workflow.ComponentVersion) [][]string {
	var rows [][]string
	same := 0
	for _, c := range components {
		if c.Current == c.Target {
			same++
			continue
		}
		where := strings.Join(c.Hosts, ", ")
		if len(c.Hosts) > namedHosts {
			where = hosts.Count(len(c.Hosts), "host")
		}
		rows = append(rows, []string{c.Component, where, orNotKnown(c.Current), c.Target})
	}
	if same > 0 {
		rows = append(rows, []string{fmt.Sprintf("%d more", same), "", "as in the bundle", ""})
	}
	return rows
}

func orNotKnown(version string) string {
	if version == "" {
		return "not known"
	}
	return version
}

// writeGates names the gates that found nothing in one line, those that were not asked in another, and
// tells of each other one what it found.
func writeGates(w io.Writer, gates []checks.Gate, notLookedAt []string) {
	var passed, notAsked []string
	for _, gate := range gates {
		switch {
		case gate.Passed():
			passed = append(passed, gate.Check)
		case gate.NotAsked != "":
			notAsked = append(notAsked, fmt.Sprintf("%s (%s)", gate.Check, gate.NotAsked))
		}
	}
	fmt.Fprintf(w, "\n✓ %s passed: %s\n", hosts.Count(len(passed), "gate"), strings.Join(passed, ", "))
	if len(notLookedAt) > 0 {
		fmt.Fprintf(w, "- not looked at: %s: of these hosts no gate says anything\n", strings.Join(notLookedAt, ", "))
	}
	if len(notAsked) > 0 {
		fmt.Fprintf(w, "- not asked: %s\n", hosts.Clean(strings.Join(notAsked, ", ")))
	}
	for _, gate := range gates {
		writeGate(w, gate)
	}
}

func writeGate(w io.Writer, gate checks.Gate) {
	for _, found := range checks.Together(gate.Findings) {
		mark := "!"
		if found.Severity == checks.Error {
			mark = "✗"
		}
		found, fix := found, found.Fix
		found.Fix = ""
		fmt.Fprintf(w, "%s %s\n", mark, hosts.Clean(found.String()))
		if fix != "" {
			fmt.Fprintf(w, "    → %s\n", hosts.Clean(fix))
		}
	}
	if gate.Stops() && gate.Ignorable {
		fmt.Fprintf(w, "    → or --ignore-checks %s\n", gate.Check)
	}
}

// writeChanges writes the files that become other, host by host; hosts on which the same becomes
// other are told of together.
func writeChanges(w io.Writer, changes []workflow.FileChange) {
	text := map[string]string{} // by host
	for _, change := range changes {
		if change.Secret {
			text[change.Host] += change.Path + ": secret, and not shown\n"
		} else {
			text[change.Host] += hosts.Clean(change.Diff)
		}
	}
	same := map[string][]string{}
	var order []string
	for _, change := range changes {
		name := change.Host
		if slices.Contains(same[text[name]], name) {
			continue
		}
		if len(same[text[name]]) == 0 {
			order = append(order, text[name])
		}
		same[text[name]] = append(same[text[name]], name)
	}
	for _, one := range order {
		fmt.Fprintf(w, "\n%s\n%s", strings.Join(same[one], ", "), one)
	}
}
