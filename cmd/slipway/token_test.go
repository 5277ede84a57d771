package main

import (
	"errors"
	"strings"
	"testing"

	"github.com/slipway-k8s/slipway/phases/engine/api"
	"github.com/slipway-k8s/slipway/workflow"
)

func TestANegativeLifeIsWrongUsage(t *testing.T) {
	command := newTokenCommand(newProgram())
	command.SetArgs([]string{"create", "-f", "nowhere.yaml", "--ttl", "-5m"})
	command.SilenceErrors, command.SilenceUsage = true, true
	err := command.Execute()
	if usage := (*workflow.UsageError)(nil); !errors.As(err, &usage) || !strings.Contains(err.Error(), "negative") {
		t.Errorf("want wrong usage, got %v", err)
	}
}

func TestTokensAreShownByTheirIDs(t *testing.T) {
	var out strings.Builder
	rows := tokenRows([]api.Token{{ID: "abcdef", Usages: []string{"signing"}}})
	for _, format := range []string{formatJSON, formatYAML} {
		if err := show(&out, format, rows, nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := writeTokens(&out, rows); err != nil {
		t.Fatal(err)
	}
	if strings.Count(out.String(), "abcdef") != 3 {
		t.Errorf("want the id three times:\n%s", out.String())
	}
}
