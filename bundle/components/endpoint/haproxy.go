package main

import (
	"fmt"
	"io"
	"net"
	"strings"
	"time"
)

const (
	haproxySocket = "/run/haproxy/admin.sock"
	// reloadPatience is far above what a reload takes, which is a tenth of a second.
	reloadPatience = 10 * time.Second
	reloadInterval = 10 * time.Millisecond
	answerPatience = 3 * time.Second
)

// reloadHAProxy has the master start a new worker, and waits until that one answers. A
// master that cannot start it keeps the old one, and says so in the journal only.
func reloadHAProxy(socket string, signal func() error) error {
	before, err := worker(socket)
	if err != nil {
		return fmt.Errorf("reload haproxy: %w", err)
	}
	if err := signal(); err != nil {
		return fmt.Errorf("reload haproxy: %w", err)
	}
	tick := time.NewTicker(reloadInterval)
	defer tick.Stop()
	for deadline := time.Now().Add(reloadPatience); time.Now().Before(deadline); <-tick.C {
		if now, err := worker(socket); err == nil && now != before {
			return nil
		}
	}
	return fmt.Errorf("reload haproxy: after %s it still runs with what it read before", reloadPatience)
}

// worker is the process id of the worker that answers on haproxy's own socket.
func worker(socket string) (string, error) {
	conn, err := net.DialTimeout("unix", socket, answerPatience)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(answerPatience)); err != nil {
		return "", err
	}
	if _, err := io.WriteString(conn, "show info\n"); err != nil {
		return "", err
	}
	answer, err := io.ReadAll(io.LimitReader(conn, 1<<16))
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(answer)) {
		if pid, found := strings.CutPrefix(line, "Pid: "); found {
			return strings.TrimSpace(pid), nil
		}
	}
	return "", fmt.Errorf("%s answers without a process id", socket)
}
