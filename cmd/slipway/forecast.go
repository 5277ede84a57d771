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
	if len(f.Hosts) == 0 {
		_, err := fmt.Fprintln(w, "no host is drained")
		return err
	}
	for _, host := range f.Hosts {
		if _, err := io.WriteString(w, hosts.Clean(hostForecast(host))); err != nil {
			return err
		}
	}
	return nil
}

// mostLines is how long a forecast may be that is shown before a question.
const mostLines = 40

// writeShortForecast writes a forecast that is too long for the screen as its sum. Of one without
// hosts the plan tells.
func writeShortForecast(w io.Writer, f forecast.Forecast) error {
	if len(f.Hosts) == 0 {
		return nil
	}
	var whole strings.Builder
	if err := writeForecast(&whole, f); err != nil {
		return err
	}
	text := whole.String()
	if strings.Count(text, "\n") > mostLines {
		text = hosts.Clean(forecastSum(f))
	}
	_, err := io.WriteString(w, text)
	return err
}

// forecastSum is a forecast's sum, and what blocks and interrupts as far as there is room for it.
func forecastSum(f forecast.Forecast) string {
	var b strings.Builder
	var pods []forecast.Pod
	for _, host := range f.Hosts {
		pods = append(pods, host.Pods...)
	}
	fmt.Fprintf(&b, "%s\n", podCounts(hosts.Count(len(f.Hosts), "host"), pods))
	shown, more := 0, 0
	for _, severity := range []forecast.Severity{forecast.Blocks, forecast.Interrupts} {
		eachNote(f, func(who string, note forecast.Note) {
			switch {
			case note.Severity != severity:
			case shown == mostLines/3: // a note may have three lines
				more++
			default:
				shown++
				writeNotes(&b, who, []forecast.Note{note})
			}
		})
	}
	if more > 0 {
		fmt.Fprintf(&b, "  … and %d more\n", more)
	}
	b.WriteString("  all of it, host by host: --forecast\n\n")
	return b.String()
}

// eachNote gives the notes of all hosts, and whom each is about.
func eachNote(f forecast.Forecast, give func(who string, note forecast.Note)) {
	for _, host := range f.Hosts {
		for _, note := range host.Notes {
			give(host.Name+": ", note)
		}
		for _, pod := range host.Pods {
			for _, note := range pod.Notes {
				give(host.Name+": "+whose(pod), note)
			}
		}
	}
}

func hostForecast(host forecast.Host) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n", podCounts(host.Name, host.Pods))
	writeNotes(&b, "", host.Notes)
	for _, pod := range host.Pods {
		writeNotes(&b, whose(pod), pod.Notes)
	}
	b.WriteString("\n")
	return b.String()
}

// whose is how a note of a Pod begins.
func whose(pod forecast.Pod) string {
	if pod.Owner != "" {
		return pod.Name + " (" + pod.Owner + "): "
	}
	return pod.Name + ": "
}

// podCounts is how many Pods go and stay, in one line.
func podCounts(where string, pods []forecast.Pod) string {
	count, stay := map[forecast.Fate]int{}, map[string]int{}
	var why []string
	for _, pod := range pods {
		count[pod.Fate]++
		if pod.Fate == forecast.Stays {
			if stay[pod.Why]++; stay[pod.Why] == 1 {
				why = append(why, pod.Why)
			}
		}
	}
	text := fmt.Sprintf("%s: %s: %d evicted, %d deleted, %d blocked, %d stay", where, hosts.Count(len(pods), "Pod"),
		count[forecast.Evicted], count[forecast.Deleted], count[forecast.Blocked], count[forecast.Stays])
	for i, reason := range why {
		why[i] = fmt.Sprintf("%d %s", stay[reason], reason)
	}
	if len(why) > 0 {
		text += fmt.Sprintf(" (%s)", strings.Join(why, ", "))
	}
	return text
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
