package ssh

import (
	"cmp"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/slipway-k8s/slipway/hosts"
)

// wantsCertificates tells whether a host is asked for a certificate. A pinned one is not: no authority speaks for it.
func (k *knownHosts) wantsCertificates() bool {
	return len(k.authorities) > 0 && len(k.options.HostKeys) == 0
}

// checkUnwanted is about a certificate that comes where none was asked for. What is pinned is its key.
func (k *knownHosts) checkUnwanted(cert *ssh.Certificate) error {
	if err := k.revokedIn(cert); err != nil {
		return err
	}
	if len(k.options.HostKeys) > 0 {
		return k.check("", nil, cert.Key)
	}
	return &hosts.Error{
		Kind: hosts.KindHostKeyUnknown, Op: "check the host key of " + k.options.address(),
		Err: fmt.Errorf("it shows a certificate, and was not asked for one (%s)", describe(cert)),
		Fix: "somebody may be in between, or what answers there does not speak SSH as it should: see on the host itself what listens on its port",
	}
}

// checkCertificate checks what a host shows in place of a plain key: signed by an authority that known_hosts
// has for the host, for its name, now, and not revoked. One that is not so is as good as its key, where that is known: so
// has ssh it (sshconnect.c, check_host_key), and what has expired keeps nobody out who was let in without it.
func (k *knownHosts) checkCertificate(cert *ssh.Certificate) error {
	if err := k.revokedIn(cert); err != nil {
		return err
	}
	name := cmp.Or(k.options.hostKeyAlias, k.options.Host)
	checker := ssh.CertChecker{
		IsHostAuthority: func(authority ssh.PublicKey, _ string) bool {
			_, known := find(k.authorities, authority)
			return known
		},
	}
	err := checker.CheckHostKey(net.JoinHostPort(principal(cert, name), "0"), nil, cert)
	if err == nil {
		return nil
	}
	if k.knows(cert.Key) {
		return nil
	}
	return &hosts.Error{
		Kind: hosts.KindHostKeyUnknown, Op: "check the host certificate of " + k.options.address(), Err: fmt.Errorf("%w (%s)", err, describe(cert)),
		Fix: k.certificateFix(cert, name),
	}
}

// revokedIn is the error of a certificate of which a line revokes the key or the authority.
func (k *knownHosts) revokedIn(cert *ssh.Certificate) error {
	if line, revoked := find(k.revoked, cert.Key); revoked {
		return k.isRevoked("its certificate's key", cert.Key, line)
	}
	if line, revoked := find(k.revoked, cert.SignatureKey); revoked {
		return k.isRevoked("the authority of its certificate", cert.SignatureKey, line)
	}
	return nil
}

// principal is the name in a certificate that stands for a host: it may be a pattern. Where none does, it is the
// host's.
func principal(cert *ssh.Certificate, name string) string {
	name = strings.ToLower(name)
	at := slices.IndexFunc(cert.ValidPrincipals, func(p string) bool { return globs(strings.ToLower(p), name) })
	if at < 0 {
		return name
	}
	return cert.ValidPrincipals[at]
}

// certificateFix says what is to be done, by what is wrong.
func (k *knownHosts) certificateFix(cert *ssh.Certificate, name string) string {
	_, known := find(k.authorities, cert.SignatureKey)
	now := uint64(time.Now().Unix()) //nolint:gosec // it is after 1970
	switch {
	case !known:
		return fmt.Sprintf("if the authority %s is yours: put its public key into %s, in a line @cert-authority %s KEY",
			ssh.FingerprintSHA256(cert.SignatureKey), strings.Join(knownHostsFiles(k.options), " or "), name)
	case len(cert.ValidPrincipals) > 0 && !slices.ContainsFunc(cert.ValidPrincipals, func(p string) bool { return globs(strings.ToLower(p), strings.ToLower(name)) }):
		return fmt.Sprintf("connect by a name that the certificate has (ssh.host in the cluster file, or HostKeyAlias in ~/.ssh/config); or sign the host's key anew for it: ssh-keygen -s CA -I %s -h -n %s %s",
			name, name, "/etc/ssh/"+hostKeyFile(cert.Key.Type()))
	case now >= cert.ValidBefore:
		return fmt.Sprintf("sign the host's key anew: ssh-keygen -s CA -I %s -h -n %s -V +52w %s", name, name, "/etc/ssh/"+hostKeyFile(cert.Key.Type()))
	case now < cert.ValidAfter:
		return "see that this machine's clock is right; or sign the host's key anew"
	}
	return "sign the host's key anew, as ssh-keygen -s CA -h does it"
}

// describe says what a certificate is for, and until when.
func describe(cert *ssh.Certificate) string {
	until := "without end"
	if cert.ValidBefore != ssh.CertTimeInfinity {
		until = "until " + time.Unix(int64(cert.ValidBefore), 0).UTC().Format(time.RFC3339) //nolint:gosec // checked by the library
	}
	names := "for any name"
	if len(cert.ValidPrincipals) > 0 {
		names = "for " + strings.Join(cert.ValidPrincipals, ", ")
	}
	return hosts.CleanLine(fmt.Sprintf("certificate %q, %s, %s", cert.KeyId, names, until))
}
