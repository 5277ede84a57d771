package workflow

import (
	"testing"
	"time"
)

func TestTokensExpire(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for ttl, want := range map[time.Duration]string{0: "", time.Second: "2026-01-02T03:04:06Z", 24 * time.Hour: "2026-01-03T03:04:05Z"} {
		if got := expiration(now, ttl); got != want {
			t.Errorf("a token for %s ends %q, want %q", ttl, got, want)
		}
	}
}
