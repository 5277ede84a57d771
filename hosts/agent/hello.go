package agent

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime"

	"github.com/slipway-k8s/slipway/hosts"
)

// Hello is how an end introduces itself: a line of its own, ahead of HTTP/2.
type Hello struct {
	Protocol int    `json:"protocol"`
	Version  string `json:"version"` // Slipway's
	OS       string `json:"os"`      // in Go's words, as is Arch
	Arch     string `json:"arch"`
}

// maxHello is how long the line may be.
const maxHello = 64 << 10

func writeHello(out io.Writer, version string) error {
	line, err := encodeLine(Hello{Protocol: Protocol, Version: version, OS: runtime.GOOS, Arch: runtime.GOARCH})
	if err == nil {
		_, err = out.Write(line)
	}
	return err
}

// readHello reads the other end's, and refuses one of another protocol or another Slipway.
func readHello(in *bufio.Reader, version string) error {
	line, err := in.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		return breach("a hello of more than %d bytes", maxHello)
	}
	if err != nil {
		return err
	}
	var hello Hello
	if err := json.Unmarshal(line, &hello); err != nil { // not strict: it may be from another version
		return breach("malformed hello: %v", err)
	}
	if hello.Protocol == Protocol && hello.Version == version {
		return nil
	}
	return &hosts.Error{
		Kind: hosts.KindVersion,
		Op:   "talk to the agent",
		Err: fmt.Errorf("one end is slipway %s (protocol %d), the other %s (protocol %d)",
			version, Protocol, hosts.CleanLine(hello.Version), hello.Protocol), // the other end's text, and shown
		Fix: "use one version of slipway, and a bundle that was built with it",
	}
}
