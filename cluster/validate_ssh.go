package cluster

import (
	"cmp"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
)

func (k *checker) ssh(ssh SSH, path string) {
	if ssh.Port != 0 {
		k.port(ssh.Port, child(path, "port"))
	}
	k.login(ssh.User, child(path, "user"))
	if ssh.ConnectTimeout < 0 {
		k.wrong(child(path, "connectTimeout"), "write a duration such as 10s", "%s is negative", ssh.ConnectTimeout)
	}
	k.sshHost(ssh.Host, child(path, "host"))
	if strings.ContainsAny(ssh.ProxyCommand, "\n\x00") {
		k.wrong(child(path, "proxyCommand"), "write it in one line", "is more than one line")
	}
	if ssh.ProxyCommand != "" && len(ssh.Jump) > 0 {
		k.wrong(child(path, "jump"), "keep one of them", "stands beside proxyCommand: only one can be the way to the host")
	}
	if ssh.IdentityFile != "" && len(ssh.IdentityFiles) > 0 {
		k.wrong(child(path, "identityFiles"), "list all of them here, and leave identityFile out", "stands beside identityFile")
	}
	if ssh.Become != "" && !slices.Contains(becomings, ssh.Become) {
		k.wrong(child(path, "become"), oneOf(ssh.Become, becomings), "%q is not known", ssh.Become)
	}
	for i, key := range ssh.HostKeys {
		k.hostKey(key, index(child(path, "hostKeys"), i))
	}
	if !ssh.NoJump() {
		for i, jump := range ssh.Jump {
			k.jump(jump, index(child(path, "jump"), i))
		}
	}
}

// becomings are the values of ssh.become.
var becomings = []string{"sudo", "doas", "none"}

func (k *checker) login(user, path string) {
	if user == "" {
		return
	}
	if wrong := loginName(user); wrong != "" {
		k.wrong(path, "write a login name, such as root, jdoe@corp.example.com or 'CORP\\jdoe'", "%s", wrong)
	}
}

func (k *checker) sshHost(host, path string) {
	if !k.mistypedAddress(host, path) && host != "" && !isAddress(host) && (strings.ContainsAny(host, " \t\n@/:") || strings.HasPrefix(host, "-")) {
		k.wrong(path, "write a name or an address alone; the user goes to ssh.user, the port to ssh.port", "%q is not a host", host)
	}
}

func (k *checker) jump(jump Jump, path string) {
	if jump.Host == "" {
		k.wrong(path, "write it as [user@]host[:port]", "names no host")
	}
	k.sshHost(jump.Host, child(path, "host"))
	k.login(jump.User, child(path, "user"))
	if jump.Port != 0 {
		k.port(jump.Port, child(path, "port"))
	}
}

// fingerprintForm is how ssh-keygen -l writes a fingerprint; publicKeyForm how a public key stands in a file.
var (
	fingerprintForm = regexp.MustCompile(`^SHA256:[A-Za-z0-9+/]{43}$`)
	publicKeyForm   = regexp.MustCompile(`^(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(?:256|384|521)) ([A-Za-z0-9+/]+=*)( .*)?$`)
)

func (k *checker) hostKey(text, path string) {
	const fix = "write a fingerprint as `ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` shows it on the host (SHA256: and 43 characters), or that file's content"
	if fingerprintForm.MatchString(text) {
		return
	}
	parts := publicKeyForm.FindStringSubmatch(text)
	if parts == nil {
		k.wrong(path, fix, "%q is neither a fingerprint nor a public key", text)
		return
	}
	// The key's own bytes begin with its type, and the type's length.
	blob, err := base64.StdEncoding.DecodeString(parts[2])
	if kind := parts[1]; err != nil || len(blob) < 4+len(kind) || int(binary.BigEndian.Uint32(blob)) != len(kind) || string(blob[4:4+len(kind)]) != kind {
		k.wrong(path, fix, "the public key is not whole")
	}
}

// own is a host's ssh without what it has from the cluster's: that is judged where it stands.
func (s SSH) own(all SSH) SSH {
	if slices.Equal(s.Jump, all.Jump) {
		s.Jump = nil
	}
	if slices.Equal(s.IdentityFiles, all.IdentityFiles) {
		s.IdentityFiles = nil
	}
	if slices.Equal(s.HostKeys, all.HostKeys) {
		s.HostKeys = nil
	}
	return s
}

// sshHostOfAnother reports an ssh.host that is another host's address: SSH would log in to
// the wrong machine.
func (k *checker) sshHostOfAnother(c *Cluster, host Host, path string) {
	target, err := netip.ParseAddr(host.SSH.Host)
	if err != nil || host.SSH.Host == host.Address() {
		return // where a name leads is seen when the hosts are looked at; an address is judged where it stands
	}
	for _, other := range c.Hosts {
		// A command or jump host of its own, or a port that is forwarded, may lead elsewhere.
		sameWay := host.SSH.ProxyCommand == other.SSH.ProxyCommand && slices.Equal(host.SSH.Jump, other.SSH.Jump) && host.SSH.Port == other.SSH.Port
		if other.Name == host.Name || !sameWay {
			continue
		}
		for _, text := range other.Addresses {
			if address, err := netip.ParseAddr(text); err == nil && address.Unmap() == target.Unmap() {
				k.wrong(child(child(path, "ssh"), "host"), "write where SSH reaches "+host.Name+", or leave it out",
					"%s is the address of %s: SSH would log in to the wrong host", host.SSH.Host, other.Name)
			}
		}
	}
}

// reached reports two hosts that SSH would take to the same machine.
func (k *checker) reached(seen map[string]string, host Host, path string) {
	if !host.SSH.Direct() || host.SSH.Host == "" || host.SSH.Host == host.Address() {
		return // what is on the way may tell them apart; addresses are compared on their own
	}
	k.unique(seen, fmt.Sprintf("%s:%d", host.SSH.Host, cmp.Or(host.SSH.Port, DefaultSSHPort)), child(child(path, "ssh"), "host"))
}
