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
	head, rows := checkTable(found, byCheck, told)
	if err := writeSection(w, head, rows); err != nil {
		return err
	}
	for i, check := range told {
		if i == 0 {
			fmt.Fprintln(w)
		}
		gate := checks.Gate{Check: check}
		for _, result := range byCheck[check] {
			gate.Ignorable = gate.Ignorable || result.Ignorable && result.Outcome == checks.Stops
			gate.Findings = append(gate.Findings, result.Findings...)
		}
		writeGate(w, gate)
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

// column is what of the table's is about some hosts.
type column struct {
	head  string
	hosts []string
	cells []string // of each check
}

// otherHosts heads the column of all hosts on which nothing was found.
const otherHosts = "OTHERS"

// columns are those of the table: the cluster's own, one for each host that a check has found something on, and one
// for all others. Hosts that have the same marks share one: of two hundred, no terminal shows as many.
func columns(found workflow.Preflight, byCheck map[string][]checks.Result, told []string) []column {
	cells := func(of func(host string) bool) []string {
		var marks []string
		for _, check := range told {
			marks = append(marks, cell(byCheck[check], of))
		}
		return marks
	}
	all := []column{{head: "CLUSTER", cells: cells(func(host string) bool { return host == "" })}}
	var others []string
	for _, name := range found.Hosts {
		if !slices.ContainsFunc(told, func(check string) bool {
			return slices.ContainsFunc(byCheck[check], func(r checks.Result) bool { return r.Host == name && len(r.Findings) > 0 })
		}) {
			others = append(others, name)
			continue
		}
		own := cells(func(host string) bool { return host == name })
		if i := slices.IndexFunc(all[1:], func(c column) bool { return slices.Equal(c.cells, own) }); i >= 0 {
			all[1+i].hosts = append(all[1+i].hosts, name)
		} else {
			all = append(all, column{hosts: []string{name}, cells: own})
		}
	}
	for i := range all[1:] {
		all[1+i].head = all[1+i].hosts[0]
		if more := len(all[1+i].hosts) - 1; more > 0 {
			all[1+i].head += fmt.Sprintf(" +%d", more)
		}
	}
	if len(others) > 0 {
		all = append(all, column{otherHosts, others, cells(func(host string) bool { return slices.Contains(others, host) })})
	}
	return all
}

// checkTable is the table's head, and a row for each check that is told.
func checkTable(found workflow.Preflight, byCheck map[string][]checks.Result, told []string) (head string, rows [][]string) {
	names := []string{"CHECK"}
	rows = make([][]string, len(told))
	for i, check := range told {
		rows[i] = []string{check}
	}
	for _, c := range columns(found, byCheck, told) {
		names = append(names, c.head)
		for i := range told {
			rows[i] = append(rows[i], c.cells[i])
		}
	}
	return strings.Join(names, "\t"), rows
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
