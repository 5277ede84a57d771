package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/checks"
	"github.com/slipway-k8s/slipway/workflow"
)

// preflightOf is what a workflow's checks find.
func preflightOf(ctx context.Context, s *workflow.Session, run *workflow.Run) (result, error) {
	found, err := s.Preflight(ctx, run)
	if err != nil {
		return result{}, err
	}
	shown := result{value: found, text: func(w io.Writer) error { return writePreflight(w, found) }}
	if found.Refused {
		shown.exit = exitRefused
	}
	return shown, nil
}

// writePreflight writes a table of the checks that found something, and sums up the others.
func writePreflight(w io.Writer, found workflow.Preflight) error {
	byCheck, order := resultsByCheck(found.Results)
	var fine, told []string
	for _, check := range order {
		switch {
		case slices.ContainsFunc(byCheck[check], func(r checks.Result) bool { return len(r.Findings) > 0 }):
			told = append(told, check)
		case slices.ContainsFunc(byCheck[check], func(r checks.Result) bool { return r.Outcome == checks.OK }):
			fine = append(fine, check)
		}
	}
	fmt.Fprintf(w, "%s: %s of %s on %s\n", found.Cluster, hosts.Count(len(order), "check"), found.Workflow, hosts.Count(len(found.Hosts), "host"))
	fmt.Fprintf(w, "✓ %s found nothing: %s\n", hosts.Count(len(fine), "check"), strings.Join(fine, ", "))
	writeTraffic(w, found.Traffic)
	writeNotAsked(w, found.Results)
	if err := writeSection(w, checkHeader(found, byCheck, told), checkRows(found, byCheck, told)); err != nil {
		return err
	}
	for i, check := range told {
		if i == 0 {
			fmt.Fprintln(w)
		}
		for _, result := range byCheck[check] {
			writeGate(w, checks.Gate{Check: check, Ignorable: result.Ignorable, Findings: result.Findings})
		}
	}
	if found.Refused {
		_, err := fmt.Fprintf(w, "\n%s would be refused, and change nothing.\n", found.Workflow)
		return err
	}
	return nil
}

func resultsByCheck(results []checks.Result) (byCheck map[string][]checks.Result, order []string) {
	byCheck = map[string][]checks.Result{}
	for _, result := range results {
		if len(byCheck[result.Check]) == 0 {
			order = append(order, result.Check)
		}
		byCheck[result.Check] = append(byCheck[result.Check], result)
	}
	return byCheck, order
}

// writeTraffic says how much of each flow between hosts was tried, and how much of it does not pass.
func writeTraffic(w io.Writer, rows []checks.TrafficRow) {
	for _, row := range rows {
		mark, result := "✓", fmt.Sprintf("%d of %s tried, and pass", row.Tried, hosts.Count(row.Ways, "way"))
		switch {
		case row.Broken > 0:
			mark, result = "✗", fmt.Sprintf("%d of %s tried, of which %d do not pass", row.Tried, hosts.Count(row.Ways, "way"), row.Broken)
		case row.Tried == 0 && row.Ways == 0:
			continue
		case row.Tried == 0:
			mark, result = "?", fmt.Sprintf("none of %s tried", hosts.Count(row.Ways, "way"))
		}
		name := strings.ToUpper(string(row.Protocol))
		if row.Port > 0 {
			name += fmt.Sprintf(" %d", row.Port)
		}
		fmt.Fprintf(w, "%s %s: %s (%s)\n", mark, name, result, row.Why)
	}
}

// writeNotAsked says of each host why how many checks were not asked, and which of the cluster's.
func writeNotAsked(w io.Writer, results []checks.Result) {
	type reason struct{ host, why string }
	not := map[reason][]string{}
	var order []reason
	for _, result := range results {
		if result.Outcome != checks.NotAsked {
			continue
		}
		key := reason{result.Host, result.NotAsked}
		if len(not[key]) == 0 {
			order = append(order, key)
		}
		not[key] = append(not[key], result.Check)
	}
	for _, key := range order {
		if key.host == "" {
			fmt.Fprintf(w, "? not asked: %s: %s\n", hosts.CleanLine(key.why), strings.Join(not[key], ", "))
		} else {
			fmt.Fprintf(w, "? %s: %s not asked: %s\n", key.host, hosts.Count(len(not[key]), "check"), hosts.CleanLine(key.why))
		}
	}
}

// shownHosts are the columns of the table: the hosts that a check has found something on.
func shownHosts(found workflow.Preflight, byCheck map[string][]checks.Result, told []string) []string {
	return slices.DeleteFunc(slices.Clone(found.Hosts), func(host string) bool {
		return !slices.ContainsFunc(told, func(check string) bool {
			return slices.ContainsFunc(byCheck[check], func(r checks.Result) bool { return r.Host == host && len(r.Findings) > 0 })
		})
	})
}

// otherHosts heads the column of all hosts on which nothing was found.
const otherHosts = "OTHERS"

func checkHeader(found workflow.Preflight, byCheck map[string][]checks.Result, told []string) string {
	shown := shownHosts(found, byCheck, told)
	header := append([]string{"CHECK", "CLUSTER"}, shown...)
	if len(shown) < len(found.Hosts) {
		header = append(header, otherHosts)
	}
	return strings.Join(header, "\t")
}

func checkRows(found workflow.Preflight, byCheck map[string][]checks.Result, told []string) [][]string {
	shown := shownHosts(found, byCheck, told)
	var rows [][]string
	for _, check := range told {
		row := []string{check, cell(byCheck[check], func(host string) bool { return host == "" })}
		for _, name := range shown {
			row = append(row, cell(byCheck[check], func(host string) bool { return host == name }))
		}
		if len(shown) < len(found.Hosts) {
			row = append(row, cell(byCheck[check], func(host string) bool { return host != "" && !slices.Contains(shown, host) }))
		}
		rows = append(rows, row)
	}
	return rows
}

// cell is the worst of what a check has found on some hosts; a dash where it looks at none of them.
func cell(results []checks.Result, of func(host string) bool) string {
	marks := []struct {
		outcome checks.Outcome
		mark    string
	}{{checks.Stops, "✗"}, {checks.Warned, "!"}, {checks.NotAsked, "?"}, {checks.OK, "✓"}}
	for _, one := range marks {
		if slices.ContainsFunc(results, func(r checks.Result) bool { return of(r.Host) && r.Outcome == one.outcome }) {
			return one.mark
		}
	}
	return "-"
}
