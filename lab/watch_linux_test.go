package lab

import (
	"context"
	"strings"
	"testing"
	"time"
)

// rebootBootsAgain: nobody has to start a host that reboots.
func rebootBootsAgain(t *testing.T, l *Lab) {
	const bootID = "cat /proc/sys/kernel/random/boot_id"
	before := sh(t, l, "worker-1", bootID)
	_, _ = l.Exec(t.Context(), "worker-1", nil, "systemctl", "reboot") // which may end with the host
	ctx, cancel := context.WithTimeout(t.Context(), bootTimeout)
	defer cancel()
	for {
		result, err := l.Exec(ctx, "worker-1", nil, "sh", "-c", bootID)
		if now := strings.TrimSpace(string(result.Stdout)); err == nil && result.Code == 0 && now != before {
			break
		}
		if pause(ctx, 100*time.Millisecond) != nil {
			t.Fatalf("it is not back: %v", err)
		}
	}
	if err := l.Start(t.Context(), "worker-1"); err != nil { // which waits until it is up
		t.Fatal(err)
	}
}
