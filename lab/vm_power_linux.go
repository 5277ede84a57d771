package lab

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"
)

// powerDown presses a virtual machine's power button, by the emulator's own protocol (QMP, see QEMU's
// manual): what the system does about it is its own affair.
func (l *Lab) powerDown(ctx context.Context, h *hostRecord) error {
	conn, err := l.control(h)
	if err != nil {
		return fmt.Errorf("reach the emulator: %w", err)
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	if err := conn.SetDeadline(time.Now().Add(controlPatience)); err != nil {
		return err
	}
	answers := json.NewDecoder(conn)
	for _, command := range []string{"", "qmp_capabilities", "system_powerdown"} { // it begins with a greeting
		if command != "" {
			if err := json.NewEncoder(conn).Encode(map[string]string{"execute": command}); err != nil {
				return fmt.Errorf("tell the emulator to %s: %w", command, err)
			}
		}
		if err := readAnswer(answers); err != nil {
			return fmt.Errorf("tell the emulator to %s: %w", command, err)
		}
	}
	return nil
}

// controlPatience is how long the emulator may take to answer. It answers beside its processors,
// but on a busy machine not at once.
const controlPatience = 30 * time.Second

// control connects to the emulator. A socket's path may have 108 characters, and a lab's folder more:
// it is reached through the folder's descriptor.
func (l *Lab) control(h *hostRecord) (net.Conn, error) {
	dir, err := os.Open(l.hostDir(h.Name))
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	return net.Dial("unix", filepath.Join(fmt.Sprintf("/proc/self/fd/%d", dir.Fd()), controlFile))
}

// readAnswer reads up to the answer to a command, or to the greeting; events come in between.
func readAnswer(from *json.Decoder) error {
	for {
		var message struct {
			Return, QMP *json.RawMessage
			Error       *struct{ Desc string }
		}
		if err := from.Decode(&message); err != nil {
			return err
		}
		if message.Error != nil {
			return fmt.Errorf("it says %q", message.Error.Desc)
		}
		if message.Return != nil || message.QMP != nil {
			return nil
		}
	}
}
