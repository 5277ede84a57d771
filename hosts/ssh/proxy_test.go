package ssh

import (
	"bufio"
	"io"
	"testing"
	"time"
)

// TestProxyCommandsEndWithAProcessThatClosesNothing, and with them what they started: it
// holds the other end of their output, which ends only with the last of them.
func TestProxyCommandsEndWithAProcessThatClosesNothing(t *testing.T) {
	p, err := startProxy("sleep 600 & echo started; wait")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	if err := p.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	out := bufio.NewReader(p)
	if _, err := out.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { proxies.over = false })
	EndProxyCommands()
	if _, err := out.ReadByte(); err != io.EOF {
		t.Errorf("they still run: %v", err)
	}
	if proxies.commands[p] {
		t.Error("it is kept in mind")
	}
	if late, err := startProxy("sleep 600"); err == nil {
		_ = late.Close()
		t.Error("one more was started, and lives on")
	}
}

// TestAClosedProxyCommandEndsWithTheProcess, too, where it does not end with its input.
func TestAClosedProxyCommandEndsWithTheProcess(t *testing.T) {
	p, err := startProxy("exec sleep 600")
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	t.Cleanup(func() { proxies.over = false })
	EndProxyCommands()
	if proxies.commands[p] {
		t.Error("it is left to the second that it has, which the process does not")
	}
	<-p.exited
}
