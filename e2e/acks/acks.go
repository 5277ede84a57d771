// Package acks reads what e2e/writer and e2e/app say: which writes a cluster has acknowledged, and
// which requests were answered, when.
package acks

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"time"
)

// Log is what one writer has said.
type Log struct {
	Acknowledged []Write
	Failed       []Write
	// Available is how many Pods of a Deployment were available, each time that it was asked.
	Available []int
}

// Write is one object that was asked for.
type Write struct {
	Number int
	At     time.Time
	Error  string // of one that was not acknowledged
}

// Parse reads a writer's lines; a last line that was cut off is left out.
func Parse(lines io.Reader) (Log, error) {
	var log Log
	scanner := bufio.NewScanner(lines)
	scanner.Buffer(nil, 1<<20)
	for scanner.Scan() {
		word, rest, _ := strings.Cut(scanner.Text(), " ")
		var write Write
		var nanoseconds int64
		if _, err := fmt.Sscanf(rest, "%d %d", &write.Number, &nanoseconds); err != nil {
			continue
		}
		write.At = time.Unix(0, nanoseconds)
		switch word {
		case "ok":
			log.Acknowledged = append(log.Acknowledged, write)
			continue
		case "available":
			log.Available = append(log.Available, write.Number)
			continue
		}
		fields := strings.SplitN(rest, " ", 3)
		write.Error = fields[len(fields)-1]
		log.Failed = append(log.Failed, write)
	}
	return log, scanner.Err()
}

// Gap is the longest time between two acknowledged writes that follow each other, the
// second of them not before the time given.
func (l Log) Gap(since time.Time) time.Duration {
	var longest time.Duration
	for i := 1; i < len(l.Acknowledged); i++ {
		if before, after := l.Acknowledged[i-1], l.Acknowledged[i]; !after.At.Before(since) {
			longest = max(longest, after.At.Sub(before.At))
		}
	}
	return longest
}

// Name is what the object of that number is called.
func Name(number int) string { return fmt.Sprintf("write-%d", number) }

// Lost lists the acknowledged writes that are not among the objects there are.
func (l Log) Lost(names []string) []string {
	there := make(map[string]bool, len(names))
	for _, name := range names {
		there[name] = true
	}
	var lost []string
	for _, write := range l.Acknowledged {
		if !there[Name(write.Number)] {
			lost = append(lost, Name(write.Number))
		}
	}
	return lost
}
