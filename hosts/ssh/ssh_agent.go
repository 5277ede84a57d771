package ssh

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/ssh"
	sshagent "golang.org/x/crypto/ssh/agent"

	"github.com/slipway-k8s/slipway/hosts"
)

// listPatience is how long ssh-agent may take to list its keys; after that the others are
// tried without it. Signing may take longer: somebody may have to touch a token.
const listPatience = 5 * time.Second

// askedAgent is a conversation with ssh-agent. It ends with its context, whoever waits:
// the agent's client knows no deadlines of its own.
type askedAgent struct {
	net.Conn
	owes    atomic.Bool // it was asked and has not answered
	release func() bool // from the context
}

func (a *askedAgent) Write(p []byte) (int, error) {
	a.owes.Store(true)
	return a.Conn.Write(p)
}

func (a *askedAgent) Read(p []byte) (int, error) {
	n, err := a.Conn.Read(p)
	if err == nil {
		a.owes.Store(false)
	}
	return n, err
}

// Close ends the conversation.
func (a *askedAgent) Close() {
	a.release()
	_ = a.Conn.Close() // nothing was written that matters
}

// askAgent gives the keys of ssh-agent; one that does not answer has none.
func (k *keys) askAgent(ctx context.Context) []ssh.Signer {
	socket := k.options.agentSocket()
	if k.listed || socket == "" {
		return k.held
	}
	k.listed = true
	agent, signers, err := listKeys(ctx, socket, k.options.ConnectTimeout)
	if err != nil {
		k.passed = append(k.passed, fmt.Sprintf("ssh-agent: %v", err))
		return nil
	}
	k.agent, k.held = agent, signers
	return signers
}

// agentSocket is where ssh-agent listens; empty: there is none, or it is not to be asked.
func (o Options) agentSocket() string {
	switch o.IdentityAgent {
	case noFile:
		return ""
	case "", "SSH_AUTH_SOCK":
		return os.Getenv("SSH_AUTH_SOCK")
	}
	if name, is := strings.CutPrefix(o.IdentityAgent, "$"); is {
		return os.Getenv(strings.Trim(name, "{}"))
	}
	return o.IdentityAgent
}

// noAgent says why there is none.
func (o Options) noAgent() string {
	if o.IdentityAgent == noFile {
		return "identityAgent is none"
	}
	return "SSH_AUTH_SOCK is not set"
}

func listKeys(ctx context.Context, socket string, timeout time.Duration) (*askedAgent, []ssh.Signer, error) {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "unix", socket)
	if err != nil {
		return nil, nil, err
	}
	agent := &askedAgent{Conn: conn, release: context.AfterFunc(ctx, func() { _ = conn.Close() })}
	patience := min(listPatience, timeout/3).Round(time.Millisecond) // the host has to have time as well
	_ = conn.SetDeadline(time.Now().Add(patience))                   // ctx ends it all the same
	signers, err := sshagent.NewClient(agent).Signers()
	if err != nil {
		if agent.owes.Load() && !errors.Is(err, net.ErrClosed) {
			err = fmt.Errorf("%s does not say which keys it has (asked for %s)", socket, patience)
		}
		agent.Close()
		return nil, nil, err
	}
	_ = conn.SetDeadline(time.Time{})
	return agent, signers, nil
}

// unsigned is the error of a login that waited for ssh-agent to sign, and in vain; nil
// where that is not what it waited for.
func (k *keys) unsigned(o Options) error {
	if k.agent == nil || !k.agent.owes.Load() {
		return nil
	}
	return &hosts.Error{
		Kind: hosts.KindAuth, Op: fmt.Sprintf("log in to %s as %s", o.address(), o.User),
		Err: fmt.Errorf("ssh-agent (%s) was asked to sign and did not answer in %s", o.agentSocket(), o.ConnectTimeout),
		Fix: "see whether ssh-agent waits for a passphrase or a touch, or name a key that is not encrypted as ssh.identityFile in the cluster file",
	}
}
