package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/engine/api"
)

// smokeMarks begin the lines.
var smokeMarks = map[api.SmokeOutcome]string{api.SmokeKept: "✓", api.SmokeBroken: "✗", api.SmokeNotAsked: "-"}

// smokeText is the line of a promise and, where it is broken, what proves that and what to do.
func smokeText(one api.SmokeResult) string {
	text := fmt.Sprintf("%s %-28s %s", smokeMarks[one.Outcome], one.Promise, hosts.CleanLine(smokeWords(one)))
	if one.Outcome != api.SmokeBroken {
		return text
	}
	for _, line := range one.Evidence {
		text += "\n      " + hosts.CleanLine(line)
	}
	if one.Fix != "" {
		text += "\n      → " + hosts.Clean(one.Fix)
	}
	return text
}

// smokeWords are what is said of a promise in its line.
func smokeWords(one api.SmokeResult) string {
	switch one.Outcome {
	case api.SmokeKept:
		return fmt.Sprintf("%s (%.1f s)", one.Detail, one.Seconds)
	case api.SmokeNotAsked:
		return "not asked: " + one.Detail
	}
	where := strings.Join(slices.DeleteFunc([]string{one.Object, one.Node}, func(text string) bool { return text == "" }), " on ")
	return strings.TrimPrefix(where+": "+one.Cause, ": ")
}
