package ssh

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/slipway-k8s/slipway/hosts"
)

// certified offers the certificates of keys before the keys themselves: those that are named, and those that lie
// beside a key, as ssh does.
func (k *keys) certified(found []ownKey) error {
	o := k.options
	for _, one := range found {
		cert, err := readCertificate(one.file + "-cert.pub")
		if err == nil {
			err = k.offerCertificate(one.file+"-cert.pub", cert, found)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			k.passed = append(k.passed, err.Error())
		}
	}
	if o.CertificateFile != "" {
		cert, err := readCertificate(o.CertificateFile)
		if err == nil {
			err = k.offerCertificate(o.CertificateFile, cert, found)
		}
		if err != nil {
			return &hosts.Error{
				Kind: hosts.KindAuth, Op: "read the certificate file", Err: err,
				Fix: "name a user certificate for one of the keys as ssh.certificateFile in the cluster file; ssh-keygen -L -f FILE shows what one is for",
			}
		}
		return nil
	}
	for _, file := range o.certificateFiles {
		cert, err := readCertificate(file)
		if err == nil {
			err = k.offerCertificate(file, cert, found)
		}
		if err != nil {
			k.passed = append(k.passed, err.Error())
		}
	}
	return nil
}

func readCertificate(file string) (*ssh.Certificate, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	public, _, _, _, err := ssh.ParseAuthorizedKey(content)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	cert, is := public.(*ssh.Certificate)
	if !is || cert.CertType != ssh.UserCert {
		return nil, fmt.Errorf("%s is no user certificate", file)
	}
	return cert, nil
}

// offerCertificate joins a certificate with its key: a file's, or ssh-agent's.
func (k *keys) offerCertificate(file string, cert *ssh.Certificate, found []ownKey) error {
	signers := slices.Clone(k.held)
	for _, one := range found {
		signers = append(signers, one.signer)
	}
	at := slices.IndexFunc(signers, func(s ssh.Signer) bool { return sameKey(s.PublicKey(), cert.Key) })
	if at < 0 {
		return fmt.Errorf("%s is for the key %s, which is not among those that are used", file, ssh.FingerprintSHA256(cert.Key))
	}
	signer, err := ssh.NewCertSigner(cert, signers[at])
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	k.offer(file, signer)
	return nil
}

// expired says what to do about certificates that cannot let the user in; empty where they can.
func (k *keys) expired(user string) string {
	now := uint64(time.Now().Unix()) //nolint:gosec // it is after 1970
	for _, cert := range k.certs {
		switch {
		case now >= cert.ValidBefore:
			return fmt.Sprintf("have a new certificate signed by your user CA: the %s has expired", describe(cert))
		case now < cert.ValidAfter:
			return fmt.Sprintf("see that this machine's clock is right: the %s is not valid yet", describe(cert))
		case len(cert.ValidPrincipals) > 0 && !slices.Contains(cert.ValidPrincipals, user):
			return fmt.Sprintf("log in as one of %s (ssh.user), or have a certificate signed for %s, unless the host's AuthorizedPrincipalsFile says otherwise",
				hosts.CleanLine(strings.Join(cert.ValidPrincipals, ", ")), user)
		}
	}
	return ""
}
