package main

import (
	"fmt"
	"strings"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/workflow"
)

// trialText is the line of a trial of ha test.
func trialText(one workflow.Trial) string {
	text := fmt.Sprintf("%s: %s: no write was acknowledged for %.2f s at most; %d acknowledged, %d refused, seen from %s",
		one.Host, one.What, one.Gap, one.Writes, one.Failures, one.From)
	if cause := firstLine(strings.TrimSpace(one.Cause)); cause != "" {
		text += "; the client was told: " + cause
	}
	return hosts.CleanLine(text)
}
