package workflow

import (
	"context"
	"fmt"
	"runtime"
	"time"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/hosts/ssh"
)

// agentFor gives the agent for a platform.
type agentFor func(context.Context, ssh.Platform) (ssh.Binary, error)

// loginBy connects to hosts by SSH, with agents of this version.
func loginBy(version string, gate *ssh.Gate, agent agentFor) Dialer {
	return func(ctx context.Context, h cluster.Host, tell func(string)) (hosts.Host, error) {
		o := sshOptions(h)
		o.Binary, o.Version, o.Gate, o.Tell = agent, version, gate, tell
		return ssh.Connect(ctx, o)
	}
}

// sshOptions are how the cluster file says to reach a host.
func sshOptions(h cluster.Host) ssh.Options {
	return ssh.Options{
		Name:           h.Name,
		Host:           h.SSH.Host,
		Port:           h.SSH.Port,
		User:           h.SSH.User,
		IdentityFile:   h.SSH.IdentityFile,
		KnownHostsFile: h.SSH.KnownHostsFile,
		ProxyCommand:   h.SSH.ProxyCommand,
		ConnectTimeout: time.Duration(h.SSH.ConnectTimeout),
		Become:         h.SSH.Become,
	}
}

// carried is the agent that this program has in it, for Linux on this machine's architecture; instead is what
// may be done about another platform.
func carried(own func() (ssh.Binary, error), platform ssh.Platform, instead string) (ssh.Binary, error) {
	of := ssh.Platform{OS: "linux", Arch: runtime.GOARCH}
	if platform == of {
		return own()
	}
	return ssh.Binary{}, fmt.Errorf("find an agent for %s: this command has one for %s only; %s", platform, of, instead)
}
