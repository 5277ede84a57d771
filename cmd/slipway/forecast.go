package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/forecast"
)

// writeForecast writes what draining will do: of each host how much, and by name whatever is more
// than a Pod that goes and comes up elsewhere.
func writeForecast(w io.Writer, f forecast.Forecast) error {
	for _, host := range f.Hosts {
		if _, err := io.WriteString(w, hosts.Clean(hostForecast(host))); err != nil {
			return err
		}
	}
	return nil
}

func hostForecast(host forecast.Host) string {
	var b strings.Builder
	count, stay := map[forecast.Fate]int{}, map[string]int{}
	var why []string
	for _, pod := range host.Pods {
		count[pod.Fate]++
		if pod.Fate == forecast.Stays {
			if stay[pod.Why]++; stay[pod.Why] == 1 {
				why = append(why, pod.Why)
			}
		}
	}
	fmt.Fprintf(&b, "%s: %s: %d evicted, %d deleted, %d blocked, %d stay", host.Name, hosts.Count(len(host.Pods), "Pod"),
		count[forecast.Evicted], count[forecast.Deleted], count[forecast.Blocked], count[forecast.Stays])
	for i, reason := range why {
		why[i] = fmt.Sprintf("%d %s", stay[reason], reason)
	}
	if len(why) > 0 {
		fmt.Fprintf(&b, " (%s)", strings.Join(why, ", "))
	}
	b.WriteString("\n")
	writeNotes(&b, "", host.Notes)
	for _, pod := range host.Pods {
		who := pod.Name
		if pod.Owner != "" {
			who += " (" + pod.Owner + ")"
		}
		writeNotes(&b, who+": ", pod.Notes)
	}
	b.WriteString("\n")
	return b.String()
}

// noteMarks are how notes are marked, as findings are.
var noteMarks = map[forecast.Severity]string{forecast.Blocks: "✗", forecast.Interrupts: "!", forecast.Told: "·"}

func writeNotes(b *strings.Builder, who string, notes []forecast.Note) {
	for _, note := range notes {
		fmt.Fprintf(b, "  %s %s%s\n", noteMarks[note.Severity], who, note.Seen)
		if note.Fix != "" {
			fmt.Fprintf(b, "      → %s\n", note.Fix)
		}
		if len(note.May) > 0 && note.Severity == forecast.Blocks {
			fmt.Fprintf(b, "      → or --on-blocked %s\n", joined(note.May))
		}
	}
}

func joined(choices []forecast.Choice) string {
	words := make([]string, 0, len(choices))
	for _, choice := range choices {
		words = append(words, string(choice))
	}
	return strings.Join(words, "|")
}
