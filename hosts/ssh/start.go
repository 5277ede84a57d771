package ssh

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path"
	"runtime"
	"strings"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/hosts/agent"
)

// startPatience is how long a started agent may take to say hello.
const startPatience = 30 * time.Second

// place is what the scripts found out about a host.
type place struct {
	directory string  // of the agent
	inbox     string  // that the login user writes to
	uid       string  // the login user's
	there     bool    // the binary is in its place
	unsafe    finding // what others may write to; nothing was done then
	locked    bool    // sudo does not let the user in
	platform  Platform
}

// finding is a path that is not safe, and why.
type finding struct{ path, why string }

// guessBinary is the agent for a host like the operator's machine, which most are.
func guessBinary(ctx context.Context, o Options) Binary {
	guess, err := o.binary(ctx, Platform{OS: "linux", Arch: runtime.GOARCH})
	if err != nil {
		return Binary{SHA256: "none"} // the host may be of another kind
	}
	return guess
}

// start brings the agent up: at once where its binary is on the host, else after putting
// it there.
func (h *host) start(ctx context.Context, guess Binary) error {
	started, err := h.tryStart(ctx, guess)
	if started || err != nil && !h.isBroken(ctx, err, guess) {
		return err
	}
	binary := guess
	if !h.place.there {
		if err := h.checkPlatform(); err != nil {
			return err
		}
		if binary, err = h.options.binary(ctx, h.place.platform); err != nil {
			return &hosts.Error{Kind: hosts.KindPlatform, Op: "get the agent for " + h.place.platform.String(), Err: err}
		}
	}
	if binary.SHA256 != guess.SHA256 {
		if started, err = h.tryStart(ctx, binary); started || err != nil {
			return err
		}
	}
	if err := h.deploy(ctx, binary); err != nil {
		return err
	}
	if started, err = h.tryStart(ctx, binary); !started && err == nil {
		err = fmt.Errorf("the agent was put into %s and is not there", h.place.directory)
	}
	return err
}

// isBroken tells whether a binary that is there but did not start is not what was put
// there: a host may have lost its power at the wrong moment.
func (h *host) isBroken(ctx context.Context, err error, binary Binary) bool {
	var known *hosts.Error
	if !h.place.there || ctx.Err() != nil || errors.As(err, &known) && known.Kind != hosts.KindBroken {
		return false
	}
	intact, err := h.verify(ctx, h.place.binary(binary), binary)
	return err == nil && !intact
}

// binary is where a binary lies on the host.
func (p place) binary(b Binary) string {
	return path.Join(p.directory, "agent", b.SHA256, "slipway-agent")
}

func (o Options) binary(ctx context.Context, p Platform) (Binary, error) {
	if o.Binary == nil {
		return Binary{}, errors.New("no binary was given")
	}
	return o.Binary(ctx, p)
}

// checkPlatform refuses a host that no agent runs on, before anything is sent.
func (h *host) checkPlatform() error {
	if h.place.platform.OS == "linux" {
		return nil
	}
	return &hosts.Error{
		Kind: hosts.KindPlatform, Op: "look at the host",
		Err: fmt.Errorf("it runs %s; hosts have to run Linux", h.place.platform.OS),
	}
}

// command is what has the host's shell run a script, by the login user.
func command(script string, args ...string) string {
	words := []string{"sh", "-c", quote(script), "sh"}
	for _, arg := range args {
		words = append(words, quote(arg))
	}
	return strings.Join(words, " ")
}

// rootCommand is command by root.
func (h *host) rootCommand(script string, args ...string) string {
	if h.place.uid == "0" {
		return command(script, args...)
	}
	return "sudo -n -- " + command(script, args...)
}

// tryStart runs startScript. Where it starts no agent and there is no error, the binary
// is not on the host.
func (h *host) tryStart(ctx context.Context, binary Binary) (started bool, err error) {
	bounded, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	stop := context.AfterFunc(bounded, func() { _ = h.connection.Close() }) // frees whoever waits
	p, err := h.spawn(command(startScript, binary.SHA256, h.options.Directory, h.options.Inbox, rootScript))
	if err != nil {
		if !stop() {
			err = h.noWord(ctx)
		}
		return false, err
	}
	h.place, err = p.look()
	if !stop() && err != nil {
		_ = p.session.Close()
		return false, h.noWord(ctx)
	}
	if err != nil {
		_ = p.session.Close()
		return false, h.explainStart(p, err)
	}
	if h.place.unsafe != (finding{}) {
		_ = p.session.Close() // it is over
		return false, h.unsafePlace(h.place.unsafe, binary)
	}
	if h.place.locked {
		_ = p.session.Close() // it is over
		return false, h.noPrivilege(errors.New(cmp.Or(p.said(), "sudo does not let the user in without a password")))
	}
	if !h.place.there {
		_ = p.session.Close() // it may be over already
		return false, nil
	}
	h.agent, err = agent.Connect(bounded, p, &p.stdin, agent.ConnectOptions{
		Version: h.options.Version, Life: h.options.Life, Explain: p.explain,
	})
	return err == nil, err
}

// noWord is the error of an agent that was given up waiting for.
func (h *host) noWord(ctx context.Context) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return &hosts.Error{
		Kind: hosts.KindUnreachable, Op: "start the agent",
		Err: fmt.Errorf("no word from it in %s", startPatience),
		Fix: "see what keeps the host, or the shell or sudo of " + h.options.User + ", from answering",
	}
}

// parseAbsent reads what rootScript says after absentWord: system, machine, directory.
func (p *place) parseAbsent(line string) error {
	words := strings.SplitN(line, " ", 3)
	if len(words) != 3 {
		return fmt.Errorf("the host describes itself as %q", hosts.CleanLine(line))
	}
	p.platform, p.directory = platform(hosts.CleanLine(words[0]), hosts.CleanLine(words[1])), words[2]
	return nil
}

// quote makes one word for a shell.
func quote(word string) string { return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'" }
