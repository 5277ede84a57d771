package ssh

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/slipway-k8s/slipway/hosts"
)

// keys are the private keys to offer to a host.
type keys struct {
	signers []ssh.Signer
	offered []string    // what they are called, for errors
	passed  []string    // what could not be used, and why
	agent   *askedAgent // must live until the handshake is over
}

// Close ends the conversation with ssh-agent.
func (k *keys) Close() {
	if k.agent != nil {
		k.agent.Close()
	}
}

func (k *keys) offer(name string, signer ssh.Signer) {
	k.signers = append(k.signers, signer)
	k.offered = append(k.offered, name+" ("+ssh.FingerprintSHA256(signer.PublicKey())+")")
}

// findKeys takes the identityFile, or what ssh-agent holds and then what lies in the
// usual places. ssh-agent answers until ctx is done, and for no longer.
func findKeys(ctx context.Context, o Options) (*keys, error) {
	k := &keys{}
	if o.IdentityFile != "" {
		if err := k.addIdentity(ctx, o.IdentityFile); err != nil {
			k.Close()
			return nil, &hosts.Error{Kind: hosts.KindAuth, Op: "read the identity file", Err: k.withPassed(err), Fix: identityFix(o, err)}
		}
		return k, nil
	}
	agentSigners := k.askAgent(ctx)
	for _, signer := range agentSigners {
		k.offer("ssh-agent's", signer)
	}
	k.addUsual(agentSigners)
	if len(k.signers) == 0 {
		k.Close()
		return nil, k.refused(o, errors.New("there is no key to offer"))
	}
	return k, nil
}

// withPassed adds to an error what could not be asked for the key.
func (k *keys) withPassed(err error) error {
	if len(k.passed) == 0 {
		return err
	}
	return fmt.Errorf("%w; %s", err, strings.Join(k.passed, "; "))
}

// addUsual adds the files of ~/.ssh that ssh would try; what cannot be used is noted.
func (k *keys) addUsual(agentSigners []ssh.Signer) {
	home, err := os.UserHomeDir()
	if err != nil {
		return
	}
	for _, name := range []string{"id_ed25519", "id_ecdsa", "id_rsa"} {
		file := filepath.Join(home, ".ssh", name)
		signer, err := readIdentity(file)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			k.passed = append(k.passed, fmt.Sprintf("%s: %v", file, err))
		case !holds(agentSigners, signer.PublicKey()):
			k.offer(file, signer)
		}
	}
}

// errEncrypted is what a key says that only ssh-agent can open.
var errEncrypted = errors.New("the key is encrypted")

// addIdentity offers the key of a file, or the same key out of ssh-agent where the file
// is encrypted or holds the public half alone, which is how ssh is told one of an agent's
// many. Nobody else needs an agent that answers.
func (k *keys) addIdentity(ctx context.Context, file string) error {
	signer, err := readIdentity(file)
	if errors.Is(err, errEncrypted) {
		public, readErr := readPublic(file, err)
		if readErr != nil {
			return err
		}
		agentSigners := k.askAgent(ctx)
		at := slices.IndexFunc(agentSigners, func(s ssh.Signer) bool { return sameKey(s.PublicKey(), public) })
		if at < 0 {
			return err
		}
		signer, err = agentSigners[at], nil
	}
	var public *publicError
	if errors.As(err, &public) {
		signer, err = k.privateHalf(ctx, public)
		file = public.private()
	}
	if err != nil {
		return err
	}
	if certified, err := certify(file, signer); err == nil {
		k.offer(file+"-cert.pub", certified)
	}
	k.offer(file, signer)
	return nil
}

// publicError is a file that holds a public key, or a certificate, alone.
type publicError struct {
	file  string
	key   ssh.PublicKey
	cause string // why its private half cannot be had
}

func (e *publicError) Error() string {
	return fmt.Sprintf("%s is a public key, and its private half is not to be had: %s", e.file, e.cause)
}

// private is where the private half lies by custom.
func (e *publicError) private() string {
	return strings.TrimSuffix(strings.TrimSuffix(e.file, ".pub"), "-cert")
}

// privateHalf finds the signer to a public key or certificate: in ssh-agent, or else in the
// file beside it.
func (k *keys) privateHalf(ctx context.Context, public *publicError) (ssh.Signer, error) {
	key, cert := public.key, (*ssh.Certificate)(nil)
	if certificate, is := key.(*ssh.Certificate); is {
		key, cert = certificate.Key, certificate
	}
	agentSigners := k.askAgent(ctx)
	at := slices.IndexFunc(agentSigners, func(s ssh.Signer) bool {
		return sameKey(s.PublicKey(), public.key) || sameKey(s.PublicKey(), key)
	})
	var signer ssh.Signer
	if at >= 0 {
		signer = agentSigners[at]
	} else {
		beside, err := readIdentity(public.private())
		if err != nil || !sameKey(beside.PublicKey(), key) {
			public.cause = fmt.Sprintf("ssh-agent does not have it (of %d keys), and it is not beside it", len(agentSigners))
			if os.Getenv("SSH_AUTH_SOCK") == "" {
				public.cause = "there is no ssh-agent (SSH_AUTH_SOCK is not set), and it is not beside it"
			}
			return nil, public
		}
		signer = beside
	}
	if cert != nil && !sameKey(signer.PublicKey(), cert) {
		return ssh.NewCertSigner(cert, signer)
	}
	return signer, nil
}

func identityFix(o Options, err error) string {
	var public *publicError
	if errors.As(err, &public) {
		return fmt.Sprintf("give it to ssh-agent: ssh-add %s (ssh-add -L lists what it has); or name the private key's file as ssh.identityFile", public.private())
	}
	if errors.Is(err, errEncrypted) {
		return "open it once with ssh-agent: ssh-add " + o.IdentityFile
	}
	return "name a private key that can be read as ssh.identityFile in the cluster file"
}

// encryptedError carries the public half of an encrypted key, where the file shows it.
type encryptedError struct {
	file   string
	public ssh.PublicKey
}

func (e *encryptedError) Error() string { return fmt.Sprintf("%s: %v", e.file, errEncrypted) }
func (e *encryptedError) Unwrap() error { return errEncrypted }

func readIdentity(file string) (ssh.Signer, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	signer, err := ssh.ParsePrivateKey(content)
	var encrypted *ssh.PassphraseMissingError
	if errors.As(err, &encrypted) {
		return nil, &encryptedError{file: file, public: encrypted.PublicKey}
	}
	if err != nil {
		if public, _, _, _, notPublic := ssh.ParseAuthorizedKey(content); notPublic == nil {
			return nil, &publicError{file: file, key: public}
		}
		return nil, fmt.Errorf("%s is not a private key: %w", file, err)
	}
	return signer, nil
}

// readPublic finds the public half of an encrypted key.
func readPublic(file string, err error) (ssh.PublicKey, error) {
	var encrypted *encryptedError
	if errors.As(err, &encrypted) && encrypted.public != nil {
		return encrypted.public, nil
	}
	content, err := os.ReadFile(file + ".pub")
	if err != nil {
		return nil, err
	}
	public, _, _, _, err := ssh.ParseAuthorizedKey(content)
	return public, err
}

// certify joins a key with the certificate that lies beside it.
func certify(file string, signer ssh.Signer) (ssh.Signer, error) {
	content, err := os.ReadFile(file + "-cert.pub")
	if err != nil {
		return nil, err
	}
	public, _, _, _, err := ssh.ParseAuthorizedKey(content)
	if err != nil {
		return nil, err
	}
	cert, ok := public.(*ssh.Certificate)
	if !ok {
		return nil, fmt.Errorf("%s-cert.pub is not a certificate", file)
	}
	return ssh.NewCertSigner(cert, signer)
}

func sameKey(a, b ssh.PublicKey) bool { return string(a.Marshal()) == string(b.Marshal()) }

func holds(signers []ssh.Signer, key ssh.PublicKey) bool {
	return slices.ContainsFunc(signers, func(s ssh.Signer) bool { return sameKey(s.PublicKey(), key) })
}

// refused is the error of a host that took none of the keys.
func (k *keys) refused(o Options, err error) error {
	tried := "no key was offered"
	if len(k.offered) > 0 {
		tried = "it refuses " + strings.Join(k.offered, ", ")
	}
	if len(k.passed) > 0 {
		tried += "; not used: " + strings.Join(k.passed, "; ")
	}
	fix := fmt.Sprintf("let the key in: ssh-copy-id -p %d %s@%s; or name another as ssh.identityFile in the cluster file", o.Port, o.User, o.Host)
	if strings.Contains(err.Error(), "Too many authentication failures") {
		fix = "ssh-agent holds more keys than the host cares to see: name the right one as ssh.identityFile in the cluster file"
	}
	return &hosts.Error{
		Kind: hosts.KindAuth, Op: fmt.Sprintf("log in to %s as %s", o.address(), o.User),
		Err: errors.New(tried), Fix: fix,
	}
}
