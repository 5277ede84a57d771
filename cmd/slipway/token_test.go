package main

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/slipway-k8s/slipway/phases/engine/api"
)

func TestTokensExpire(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for ttl, want := range map[time.Duration]string{0: "", time.Second: "2026-01-02T03:04:06Z", 24 * time.Hour: "2026-01-03T03:04:05Z"} {
		if got := expiration(now, ttl); got != want {
			t.Errorf("a token for %s ends %q, want %q", ttl, got, want)
		}
	}
}

func TestANegativeLifeIsWrongUsage(t *testing.T) {
	command := newTokenCommand()
	command.SetArgs([]string{"create", "-f", "nowhere.yaml", "--ttl", "-5m"})
	command.SilenceErrors, command.SilenceUsage = true, true
	err := command.Execute()
	if usage := (*usageError)(nil); !errors.As(err, &usage) || !strings.Contains(err.Error(), "negative") {
		t.Errorf("want wrong usage, got %v", err)
	}
}

func TestTokenRowsHaveNoSecret(t *testing.T) {
	var out strings.Builder
	rows := tokenRows([]api.Token{{ID: "abcdef", Secret: "0123456789abcdef", Usages: []string{"signing"}}})
	for _, format := range []string{formatJSON, formatYAML} {
		if err := show(&out, format, rows, nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := writeTokens(&out, rows); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(out.String(), "0123456789abcdef") || strings.Count(out.String(), "abcdef") != 3 {
		t.Errorf("want the id three times and no secret:\n%s", out.String())
	}
}
