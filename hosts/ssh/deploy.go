package ssh

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/hosts"
)

// deploy puts the agent's binary on the host, under its digest, where only root writes.
func (h *host) deploy(ctx context.Context, binary Binary) error {
	if _, err := h.files.open(ctx); err != nil { // uploads will need it: it is told now
		return err
	}
	leave, err := h.options.Gate.send(ctx, h.options.tell)
	if err != nil {
		return err
	}
	defer leave()
	h.options.tell("sending the agent")
	sending := h.connection.oversee(ctx, sendPatience)
	return sending.end("send the agent", h.putBinary(ctx, binary, sending))
}

func (h *host) putBinary(ctx context.Context, binary Binary, sending *oversight) error {
	content, err := binary.Open()
	if err != nil {
		return fmt.Errorf("send the agent: %w", err)
	}
	defer content.Close()
	in := endingReader{movingReader{hosts.ContextReader{Context: ctx, In: content}, sending}}
	said, err := h.connection.feed(ctx, h.rootCommand(putScript, binary.SHA256, h.options.Directory), in)
	arrived, bad := false, false
	for line := range strings.Lines(said) {
		word, rest, _ := strings.Cut(strings.TrimRight(line, "\r\n"), " ")
		switch word {
		case madeWord:
			h.made = append(h.made, rest)
		case putWord:
			arrived = true
		case badWord:
			bad = true
		}
	}
	switch {
	case arrived:
		h.put = h.place.binary(binary)
		return nil
	case bad:
		return fmt.Errorf("the agent did not arrive in %s as it was sent", h.options.Directory)
	case err != nil && strings.Contains(err.Error(), "No space left"):
		return &hosts.Error{
			Kind: hosts.KindDiskFull, Op: "send the agent to " + h.options.Directory, Err: err,
			Fix: fmt.Sprintf("free some space below %s: %s are needed", h.options.Directory, mib(binary.Size)),
		}
	case err != nil:
		return fmt.Errorf("send the agent to %s: %w", h.options.Directory, err)
	}
	return fmt.Errorf("send the agent to %s: the host does not say that it is there%s", h.options.Directory, told("it", hosts.CleanLine(said)))
}

// movingReader tells of what is read.
type movingReader struct {
	in      io.Reader
	sending *oversight
}

func (r movingReader) Read(p []byte) (int, error) {
	n, err := r.in.Read(p)
	if n > 0 {
		r.sending.moved(n)
	}
	return n, err
}

// endingReader tells of the end, too.
type endingReader struct{ movingReader }

func (r endingReader) Read(p []byte) (int, error) {
	n, err := r.movingReader.Read(p)
	if err == io.EOF {
		r.sending.allSent()
	}
	return n, err
}

// verify has the host compute the digest of a binary that lies on it.
func (h *host) verify(ctx context.Context, name string, binary Binary) (intact bool, err error) {
	err = h.connection.within(ctx, sendPatience, "verify "+name, func() error {
		said, err := h.connection.run(ctx, h.rootCommand(`sha256sum "$1"`, name))
		intact = strings.Contains(said, binary.SHA256+" ") // a login shell may say more
		return err
	})
	return intact, err
}

// tidy removes what Connect and Upload put on the host.
func (h *host) tidy() error {
	return h.connection.within(context.Background(), closePatience, "remove the agent", func() error {
		_, err := h.connection.run(context.Background(), h.rootCommand(tidyScript, h.place.directory))
		if h.place.inbox != path.Join(h.place.directory, "inbox") {
			_, inboxErr := h.connection.run(context.Background(), command(tidyInboxScript, h.place.inbox))
			return errors.Join(err, inboxErr)
		}
		return err
	})
}

// leftBare tells whether the host is as bare as it was found: it had no directory of
// Slipway's, so no record either, and nothing was done to it since.
func (h *host) leftBare() bool {
	return !h.used.Load() && slices.Contains(h.made, h.options.Directory)
}

// untouch removes the agent from a host that was only looked at, and the directories
// that were made for it. Those that somebody else has something in by now stay.
func (h *host) untouch() error {
	return h.connection.within(context.Background(), closePatience, "remove the agent", func() error {
		args := []string{h.put}
		for _, dir := range slices.Backward(h.made) {
			args = append(args, dir)
		}
		_, err := h.connection.run(context.Background(), h.rootCommand(untouchScript, args...))
		return err
	})
}
