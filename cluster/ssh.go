package cluster

import (
	"errors"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// SSHNone is the word for none at all, in fields that name a file, a command or a jump host.
const SSHNone = "none"

// inheritSSH completes a host's ssh with the cluster's; where to connect is the host's own. What is one choice in
// several fields is taken as a whole.
func inheritSSH(ssh *SSH, from SSH) {
	setDefault(&ssh.Port, from.Port)
	setDefault(&ssh.User, from.User)
	setDefault(&ssh.Config, from.Config)
	if ssh.IdentityFile == "" && len(ssh.IdentityFiles) == 0 {
		ssh.IdentityFile, ssh.IdentityFiles = from.IdentityFile, from.IdentityFiles
	}
	setDefault(&ssh.CertificateFile, from.CertificateFile)
	setDefault(&ssh.IdentityAgent, from.IdentityAgent)
	setDefault(&ssh.KnownHostsFile, from.KnownHostsFile)
	if len(ssh.HostKeys) == 0 {
		ssh.HostKeys = from.HostKeys
	}
	if ssh.ProxyCommand == "" && len(ssh.Jump) == 0 {
		ssh.ProxyCommand, ssh.Jump = from.ProxyCommand, from.Jump
	}
	setDefault(&ssh.PasswordFile, from.PasswordFile)
	setDefault(&ssh.BecomePasswordFile, from.BecomePasswordFile)
	setDefault(&ssh.ConnectTimeout, from.ConnectTimeout)
	setDefault(&ssh.Become, from.Become)
}

// Same tells whether two of them say the same.
func (s SSH) Same(other SSH) bool { return alike(reflect.ValueOf(s), reflect.ValueOf(other)) }

// Direct tells that no other host and no command is on the way, as far as the file says.
func (s SSH) Direct() bool {
	return (s.ProxyCommand == "" || s.ProxyCommand == SSHNone) && (len(s.Jump) == 0 || s.NoJump())
}

// NoJump tells that the file wants no jump host, whatever the configuration of ssh says.
func (s SSH) NoJump() bool { return len(s.Jump) == 1 && s.Jump[0] == Jump{Host: SSHNone} }

// fromText reads [user@]host[:port]; an IPv6 address with a port stands in brackets.
func (j *Jump) fromText(text string) error {
	rest := strings.TrimSuffix(strings.TrimPrefix(text, "ssh://"), "/")
	if at := strings.LastIndex(rest, "@"); at >= 0 {
		j.User, rest = rest[:at], rest[at+1:]
	}
	host, digits, ported := rest, "", false
	if end := strings.LastIndex(rest, ":"); end >= 0 && (strings.HasSuffix(rest[:end], "]") || strings.Count(rest, ":") == 1) {
		host, digits, ported = rest[:end], rest[end+1:], true
	}
	j.Host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	if !ported {
		return nil
	}
	port, err := strconv.Atoi(digits)
	if err != nil || port < 1 {
		return errors.New(digits + " is not a port")
	}
	j.Port = port
	return nil
}

// apart has lists of its own.
func (s SSH) apart() SSH {
	s.IdentityFiles, s.Jump = slices.Clone(s.IdentityFiles), slices.Clone(s.Jump)
	return s
}

// files are the names of files in it that are not a word for none or for something else.
func (s *SSH) files() []*string {
	all := []*string{&s.IdentityFile, &s.KnownHostsFile, &s.CertificateFile, &s.PasswordFile, &s.BecomePasswordFile}
	for i := range s.IdentityFiles {
		all = append(all, &s.IdentityFiles[i])
	}
	for i := range s.Jump {
		all = append(all, &s.Jump[i].IdentityFile)
	}
	if s.Config != SSHNone {
		all = append(all, &s.Config)
	}
	if s.IdentityAgent != SSHNone && s.IdentityAgent != "SSH_AUTH_SOCK" && !strings.HasPrefix(s.IdentityAgent, "$") {
		all = append(all, &s.IdentityAgent)
	}
	return all
}
