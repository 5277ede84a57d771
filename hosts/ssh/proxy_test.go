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
	EndProxyCommands()
	if _, err := out.ReadByte(); err != io.EOF {
		t.Errorf("they still run: %v", err)
	}
	if _, known := proxies.Load(p); known {
		t.Error("it is kept in mind")
	}
}
