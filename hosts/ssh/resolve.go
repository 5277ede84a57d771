package ssh

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
)

// DefaultUser logs in where neither the cluster file nor ssh's configuration says who.
const DefaultUser = "root"

// execPatience bounds a command of a Match exec line.
const execPatience = 10 * time.Second

// Resolve completes options with what the configuration of ssh says of Options.Host as one would type it at
// ssh, then with defaults: who logs in, at which name and port, and so on. What options say themselves stays.
// Connect does the same by itself. The error is a *hosts.Error that tells each line that says nothing to ssh.
func Resolve(ctx context.Context, options Options) (Options, error) {
	o, err := resolve(ctx, options)
	return o, named(cmp.Or(options.Name, options.Host), "read the configuration of ssh", err)
}

func resolve(ctx context.Context, o Options) (Options, error) {
	if o.resolved {
		return o, nil
	}
	home := homeFolder()
	r := settingsReader{readConfigs(atHome(o.ConfigFile), home).ask(ctx, o, home)}
	s := r.settings()
	o = o.completed(r, s)
	if len(r.wrong) > 0 {
		return o, configError(r.wrong)
	}
	for _, note := range r.untaken() {
		o.note(note)
	}
	o = o.withDefaults()
	o.resolved = true
	return o, nil
}

// ask asks the configuration about the host that options name.
func (c *config) ask(ctx context.Context, o Options, home string) *answers {
	login := o.LoginName
	if login == "" {
		login = DefaultUser
	}
	a := c.answer(subject{
		name: o.Host, user: o.User, port: o.Port, local: readLocalNames(home, login),
		run: func(command string) (bool, error) { return succeeds(ctx, command) },
	})
	a.wrong = append(slices.Clone(c.wrong), a.wrong...)
	return a
}

// completed has what options do not say from the configuration.
func (o Options) completed(r settingsReader, s settings) Options {
	o.settings = s
	if name, line, said := r.one("hostname"); said {
		host, err := expandTokens(name, map[byte]string{'h': o.Host, '%': "%"})
		if err != nil || !isHostName(host) {
			r.bad(line, "%q is no name or address of a host", name)
		}
		o.Host = host
	}
	o.Host = lowerHost(o.Host)
	if port, said := r.port("port"); said && o.Port == 0 {
		o.Port = port
	}
	if user, _, said := r.one("user"); said && o.User == "" {
		o.User = user
	}
	o.User = cmp.Or(o.User, o.LoginName)
	if timeout := r.duration("connecttimeout"); o.ConnectTimeout == 0 {
		o.ConnectTimeout = timeout
	}
	if agent, line, said := r.one("identityagent"); said && o.IdentityAgent == "" {
		var err error
		if o.IdentityAgent, err = r.agentSocket(agent); err != nil {
			r.bad(line, "%v", err)
		}
	}
	switch {
	case strings.EqualFold(o.ProxyCommand, noFile):
		o.ProxyCommand = ""
	case o.ProxyCommand == "" && len(o.Jump) == 0:
		o = o.proxied(r)
	}
	return o
}

// agentSocket is an IdentityAgent: none, SSH_AUTH_SOCK, the name of a variable behind a $, or a path.
func (a *answers) agentSocket(text string) (string, error) {
	if name, is := strings.CutPrefix(text, "$"); is && !strings.HasPrefix(name, "{") {
		if os.Getenv(name) == "" {
			return noFile, nil
		}
		return os.Getenv(name), nil
	}
	return a.file(text)
}

// proxied has the way by ProxyJump or ProxyCommand: of both, what is said first.
func (o Options) proxied(r settingsReader) Options {
	jump, jumps := r.first["proxyjump"]
	command, runs := r.first["proxycommand"]
	if jumps && runs && r.before("proxycommand", "proxyjump") {
		jumps = false
	}
	switch {
	case jumps && len(jump.args) != 1:
		r.bad(jump, "one value is wanted, and not %q", jump.value)
	case jumps && strings.EqualFold(jump.args[0], noFile):
	case jumps:
		var err error
		if o.Jump, err = r.jumpHosts(jump.args[0]); err != nil {
			r.bad(jump, "%v", err)
		}
	case runs && command.value == "":
		r.bad(command, "its value is missing")
	case runs && !strings.EqualFold(command.value, noFile):
		if o.ProxyCommand = command.value; r.yes("proxyusefdpass", false) {
			r.bad(r.first["proxyusefdpass"], "a connection that is handed over is not taken: use a ProxyCommand that carries it, or write ssh.proxyCommand in the cluster file")
		}
	}
	return o
}

// jumpHosts are those of a ProxyJump, in which ssh has these tokens alone.
func (a *answers) jumpHosts(text string) ([]Jump, error) {
	all := a.tokens()
	expanded, err := expandTokens(text, map[byte]string{'%': all['%'], 'h': all['h'], 'n': all['n'], 'p': all['p'], 'r': all['r']})
	if err != nil {
		return nil, err
	}
	return parseJumps(expanded)
}

// before tells which of two settings was met first.
func (a *answers) before(one, other string) bool { return a.order[one] < a.order[other] }

func configError(wrong []error) error {
	return &hosts.Error{
		Kind: hosts.KindBroken, Op: "read the configuration of ssh", Err: errors.Join(wrong...),
		Fix: "correct it; or write ssh.config: none in the cluster file, or another file's name, and it is not read",
	}
}

// succeeds runs the command of a Match exec, as ssh does: by the user's shell, with nothing to read and nobody
// who reads.
func succeeds(ctx context.Context, command string) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, execPatience)
	defer cancel()
	run := exec.CommandContext(ctx, cmp.Or(os.Getenv("SHELL"), "/bin/sh"), "-c", command)
	run.WaitDelay = time.Second
	err := run.Run()
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return false, fmt.Errorf("%q does not end (waited for %s)", command, execPatience)
	case errors.As(err, &exit):
		return false, nil
	}
	return err == nil, err
}

func (o Options) note(text string) {
	if o.Note != nil {
		o.Note(text)
	}
}

// parsePort reads a port; zero is none.
func parsePort(text string) (int, error) {
	port, err := strconv.Atoi(text)
	if err != nil || port < 1 || port >= 1<<16 {
		return 0, fmt.Errorf("%q is no port", text)
	}
	return port, nil
}

// splitHostPort reads HOST, HOST:PORT and [ADDRESS]:PORT.
func splitHostPort(text string) (host string, port int, err error) {
	if strings.HasPrefix(text, "[") && strings.HasSuffix(text, "]") || strings.Count(text, ":") != 1 && !strings.HasPrefix(text, "[") {
		return strings.Trim(text, "[]"), 0, nil
	}
	host, digits, err := net.SplitHostPort(text)
	if err != nil {
		return "", 0, err
	}
	port, err = parsePort(digits)
	return host, port, err
}
