package acks

import (
	"strings"
	"testing"
	"time"
)

func TestGapAndLostWrites(t *testing.T) {
	log, err := Parse(strings.NewReader("ok 1 1000000000\nok 2 1500000000\nno 3 2500000000 context deadline exceeded\nok 4 4000000000\nok 5 4100000000\nok 6 "))
	if err != nil {
		t.Fatal(err)
	}
	if len(log.Acknowledged) != 4 || len(log.Failed) != 1 || log.Failed[0].Error != "context deadline exceeded" {
		t.Errorf("log: %+v", log)
	}
	if gap := log.Gap(time.Time{}); gap != 2500*time.Millisecond {
		t.Errorf("gap %s", gap)
	}
	if gap := log.Gap(time.Unix(4, 50_000_000)); gap != 100*time.Millisecond {
		t.Errorf("gap afterwards %s", gap)
	}
	if lost := log.Lost([]string{"write-1", "write-3", "write-4"}); strings.Join(lost, " ") != "write-2 write-5" {
		t.Errorf("lost %v", lost)
	}
}
