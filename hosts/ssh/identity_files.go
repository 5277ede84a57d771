package ssh

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"
)

// ownKey is one that a file names; it may be ssh-agent's.
type ownKey struct {
	file   string
	signer ssh.Signer
	held   bool
}

// usualKeys are the files of ~/.ssh that ssh would try.
func usualKeys() []string {
	home := homeFolder()
	if home == "" {
		return nil
	}
	var files []string
	for _, name := range []string{"id_rsa", "id_ecdsa", "id_ecdsa_sk", "id_ed25519", "id_ed25519_sk"} {
		files = append(files, filepath.Join(home, ".ssh", name))
	}
	return files
}

// errEncrypted is what a key says that only ssh-agent can open.
var errEncrypted = errors.New("the key is encrypted")

// read gives the key of a file, or the same key out of ssh-agent, which needs no passphrase: where the file is
// encrypted or for a hardware token, or holds the public half alone, which is how ssh is told one of an agent's
// many. Nobody else needs an agent that answers.
func (k *keys) read(ctx context.Context, file string) (ownKey, error) {
	one := ownKey{file: file}
	signer, err := readIdentity(file)
	if one.signer = signer; err == nil {
		one.held = k.listed && holds(k.held, signer.PublicKey())
		return one, nil
	}
	var public *publicError
	if errors.As(err, &public) {
		one.signer, err = k.privateHalf(ctx, public)
		one.file, one.held = public.private(), holds(k.held, public.key)
		return one, err
	}
	key, readErr := readPublic(file, err)
	if readErr != nil {
		return one, err
	}
	if at := slices.IndexFunc(k.askAgent(ctx), func(s ssh.Signer) bool { return sameKey(s.PublicKey(), key) }); at >= 0 {
		one.signer, one.held = k.held[at], true
		return one, nil
	}
	if errors.Is(err, errEncrypted) && k.locked != nil {
		one.signer = k.locked(file, key)
		return one, nil
	}
	return one, err
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
			if k.options.agentSocket() == "" {
				public.cause = "there is no ssh-agent (" + k.options.noAgent() + "), and it is not beside it"
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

func identityFix(file string, err error) string {
	var public *publicError
	if errors.As(err, &public) {
		return fmt.Sprintf("give it to ssh-agent: ssh-add %s (ssh-add -L lists what it has); or name the private key's file as ssh.identityFile", public.private())
	}
	if errors.Is(err, errEncrypted) {
		return "open it once with ssh-agent: ssh-add " + file
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
		if bytes.Contains(content, []byte("PRIVATE KEY")) && strings.HasSuffix(file, "_sk") {
			return nil, fmt.Errorf("%s is a key on a hardware token, which ssh-agent has to hold: ssh-add %s", file, file)
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
