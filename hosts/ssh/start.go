package ssh

import (
	"context"
	"errors"
	"fmt"
	"path"
	"runtime"
	"strings"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/hosts/agent"
)

// place is what the scripts found out about a host.
type place struct {
	uid       string   // the login user's
	inbox     string   // that the login user writes to
	programs  []string // that may help to become root
	platform  Platform
	directory string // of the agent, once it was run
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

// start brings the agent up, all in one session: at once where its binary is on the host, else after putting
// it there. One that is there and does not start may not be what was put there, as a host may
// have lost its power at the wrong moment: then its sum is looked at.
func (h *host) start(ctx context.Context, guess Binary) error {
	err := h.startFrom(ctx, guess, false)
	var known *hosts.Error
	if err == nil || ctx.Err() != nil || !h.ran || errors.As(err, &known) && known.Kind != hosts.KindBroken {
		return err
	}
	return h.startFrom(ctx, guess, true)
}

// startFrom becomes root and runs the agent, the binary's sum looked at or not.
func (h *host) startFrom(ctx context.Context, binary Binary, verify bool) error {
	h.ran = false
	p, err := h.becomeRoot(ctx)
	if err != nil {
		return err
	}
	p.who = "root's shell"
	if err = h.startBy(ctx, p, binary, verify); err != nil {
		_ = p.session.Close() // it may be over already
	}
	return err
}

// startBy has root's shell run the agent, or take it in first.
func (h *host) startBy(ctx context.Context, p *process, binary Binary, verify bool) error {
	there, err := h.tryStart(ctx, p, binary, verify)
	if there || err != nil {
		return err
	}
	if err := h.checkPlatform(); err != nil {
		return err
	}
	right, err := h.options.binary(ctx, h.place.platform)
	if err != nil {
		return &hosts.Error{Kind: hosts.KindPlatform, Op: "get the agent for " + h.place.platform.String(), Err: err}
	}
	if right.SHA256 != binary.SHA256 {
		if there, err = h.tryStart(ctx, p, right, verify); there || err != nil {
			return err
		}
	}
	return h.deploy(ctx, p, right)
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

// tryStart has root's shell run the agent. Where that is not there, the shell waits for the next line.
func (h *host) tryStart(ctx context.Context, p *process, binary Binary, verify bool) (there bool, err error) {
	wait := h.awaitWord(ctx, "root's shell")
	defer func() {
		if gaveUp := wait.end(); gaveUp != nil && err != nil {
			err = gaveUp
		}
	}()
	looked := ""
	if verify {
		looked = "sum"
	}
	p.say(line(rootScript, binary.SHA256, h.options.Directory, h.place.inbox, looked))
	for {
		word, rest, err := p.hear()
		switch {
		case err != nil:
			return false, err
		case word == absentWord:
			return false, h.place.parseAbsent(rest)
		case word == thereWord:
			wait.next("the agent")
			return true, h.greet(ctx, p, rest)
		}
		if err := h.heedRoot(word, rest, binary); err != nil {
			return false, err
		}
	}
}

// heedRoot is the error that a word of root's scripts means; nil of one that means none.
func (h *host) heedRoot(word, rest string, binary Binary) error {
	switch word {
	case unsafeWord:
		return h.unsafePlace(parseFinding(rest), binary.SHA256)
	case barredWord:
		return h.barred(rest)
	case confinedWord:
		return h.noPrivilege(errors.New("root's shell may run no program: the rule in sudoers has NOEXEC"))
	case otherWord:
		return h.noPrivilege(fmt.Errorf("commands are run as %s and not as root, which the rule in sudoers, or runas_default, says", hosts.CleanLine(rest)))
	}
	return nil
}

// greet connects to the agent that is run now, out of the directory.
func (h *host) greet(ctx context.Context, p *process, directory string) error {
	h.ran, h.place.directory, p.who = true, directory, "the agent"
	if err := p.awaitHello(); err != nil {
		return h.explainStart(p, err)
	}
	var err error
	h.agent, err = agent.Connect(ctx, p, &p.stdin, agent.ConnectOptions{
		Version: h.options.Version, Life: h.options.Life, Explain: p.explain,
	})
	return err
}

// parseAbsent reads what rootScript says after absentWord: system and machine.
func (p *place) parseAbsent(line string) error {
	words := strings.Fields(line)
	if len(words) != 2 {
		return fmt.Errorf("the host describes itself as %q", hosts.CleanLine(line))
	}
	p.platform = platform(hosts.CleanLine(words[0]), hosts.CleanLine(words[1]))
	return nil
}
