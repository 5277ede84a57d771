package ssh

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/slipway-k8s/slipway/hosts"
)

// deploy puts the agent's binary on the host, under its digest, where only root writes, and runs
// it. Root's shell takes it in, so it goes by the one session there is.
func (h *host) deploy(ctx context.Context, p *process, binary Binary) error {
	leave, err := h.options.Gate.send(ctx, h.options.tell)
	if err != nil {
		return err
	}
	h.options.tell("sending the agent")
	sending := h.connection.oversee(ctx, sendPatience)
	directory, err := h.putBinary(ctx, p, binary, sending)
	leave()
	if err = sending.end("send the agent", err); err != nil {
		h.made = nil // root's shell took away what it had made
		return err
	}
	h.place.directory = directory
	h.put = h.place.binary(binary)
	wait := h.awaitWord(ctx, "the agent")
	if err = h.greet(ctx, p, directory); err != nil {
		return cmp.Or(wait.end(), err)
	}
	_ = wait.end()
	return nil
}

// putBinary sends the binary and gives the directory that it is run out of.
func (h *host) putBinary(ctx context.Context, p *process, binary Binary, sending *oversight) (directory string, err error) {
	content, err := binary.Open()
	if err != nil {
		return "", fmt.Errorf("send the agent: %w", err)
	}
	defer content.Close()
	in := endingReader{movingReader{hosts.ContextReader{Context: ctx, In: h.connection.paced(io.LimitReader(content, binary.Size))}, sending}}
	p.say(line(putScript, binary.SHA256, h.options.Directory, h.place.inbox, strconv.FormatInt(binary.Size, 10)))
	ended := make(chan error, 1)
	go func() {
		n, err := io.Copy(&p.stdin, in)
		if err == nil && n < binary.Size {
			err = fmt.Errorf("send the agent: its content ends after %d of %d bytes", n, binary.Size)
		}
		if err != nil {
			_ = p.stdin.Close() // the shell waits for the rest
		}
		ended <- err
	}()
	directory, err = h.heedPut(p, binary)
	if err != nil {
		_ = p.session.Close() // frees a write that nobody takes
	}
	if sent := <-ended; err != nil && sent != nil && !errors.Is(sent, io.EOF) {
		err = errors.Join(sent, err)
	}
	return directory, err
}

// heedPut reads what putScript has to say, up to the agent's own words.
func (h *host) heedPut(p *process, binary Binary) (directory string, err error) {
	arrived := false
	for {
		word, rest, err := p.hear()
		switch {
		case err != nil && !arrived && strings.Contains(p.said(), "No space left"), err != nil && !arrived && strings.Contains(p.said(), "quota exceeded"):
			return "", &hosts.Error{
				Kind: hosts.KindDiskFull, Op: "send the agent to " + h.options.Directory, Err: err,
				Fix: fmt.Sprintf("free some space below %s: %s are needed", h.options.Directory, mib(binary.Size)),
			}
		case err != nil:
			return "", fmt.Errorf("send the agent to %s: %w", h.options.Directory, err)
		case word == madeWord:
			h.made = append(h.made, rest)
		case word == putWord:
			arrived = true
		case word == badWord:
			return "", fmt.Errorf("the agent did not arrive in %s as it was sent", h.options.Directory)
		case word == thereWord:
			return rest, nil
		}
		if err := h.heedRoot(word, rest, binary); err != nil {
			return "", err
		}
	}
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

// tidy removes what Connect and Upload put on the host: what is root's by the agent, which runs no
// longer than this, and the login user's inbox by a session of its own when that has ended.
func (h *host) tidy() error {
	return h.connection.within(context.Background(), closePatience, "remove the agent", func() error {
		return h.agent.Leave(context.Background(), []string{path.Join(h.place.directory, "agent"), path.Join(h.place.directory, "inbox")}, []string{h.place.directory})
	})
}

// tidyInbox removes the inbox where the login user has one.
func (h *host) tidyInbox() error {
	if h.place.inbox == path.Join(h.place.directory, "inbox") {
		return nil
	}
	return h.connection.within(context.Background(), closePatience, "remove the inbox", func() error {
		_, err := h.connection.feed(context.Background(), loginCommand, strings.NewReader(line(tidyInboxScript, h.place.inbox)))
		return err
	})
}

// leftBare tells whether the host is as bare as it was found: it had no directory of
// Slipway's, so no record either, and nothing was done to it since.
func (h *host) leftBare() bool {
	return !h.used.Load() && slices.Contains(h.made, h.options.Directory)
}

// untouch has the agent remove itself from a host that was only looked at, and the directories
// that were made for it. Those that somebody else has something in by now stay.
func (h *host) untouch() error {
	return h.connection.within(context.Background(), closePatience, "remove the agent", func() error {
		return h.agent.Leave(context.Background(), []string{h.put}, h.madeInnermost())
	})
}

// byShell has root do so where there is no agent to do it.
func (h *host) byShell(ctx context.Context, script string, args ...string) error {
	p, err := h.becomeRoot(ctx)
	if err != nil {
		return err
	}
	defer p.session.Close()
	return h.connection.within(ctx, closePatience, "remove the agent", func() error {
		p.say(line(script, args...))
		_, _, err := p.hear() // its end
		if p.status() == 0 {
			return nil
		}
		return err
	})
}

func (h *host) madeInnermost() []string {
	made := slices.Clone(h.made)
	slices.Reverse(made)
	return made
}
