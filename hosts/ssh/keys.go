package ssh

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/slipway-k8s/slipway/hosts"
)

// keys are the private keys to offer to a host.
type keys struct {
	signers []ssh.Signer
	offered []string           // what they are called, for errors
	certs   []*ssh.Certificate // among them
	passed  []string           // what could not be used, and why
	agent   *askedAgent        // must live until the handshake is over
	listed  bool               // the agent was asked for its keys
	held    []ssh.Signer       // the agent's

	unopened string // a key that a host would have taken, and that nobody has opened

	options Options
	locked  func(file string, public ssh.PublicKey) ssh.Signer // opens a key by its passphrase; nil: nobody can be asked
}

// Close ends the conversation with ssh-agent.
func (k *keys) Close() {
	if k.agent != nil {
		k.agent.Close()
	}
}

func (k *keys) offer(name string, signer ssh.Signer) {
	if holds(k.signers, signer.PublicKey()) {
		return
	}
	if cert, is := signer.PublicKey().(*ssh.Certificate); is {
		k.certs = append(k.certs, cert)
	}
	k.signers = append(k.signers, signer)
	k.offered = append(k.offered, name+" ("+ssh.FingerprintSHA256(signer.PublicKey())+")")
}

// notOpened notes that a host would have taken a key, which could not be used.
func (k *keys) notOpened(file string, err error) {
	k.unopened = file
	k.offered = slices.DeleteFunc(k.offered, func(name string) bool {
		return strings.HasPrefix(name, file+" ") || strings.HasPrefix(name, file+"-cert.pub ")
	})
	k.passed = append(k.passed, fmt.Sprintf("%s: %v: %v", file, errEncrypted, err))
}

// findKeys takes the identity files of the cluster file and no others; or, as ssh does, those that its
// configuration names and what ssh-agent holds; or what ssh-agent holds and then what lies in the usual places.
// ssh-agent answers until ctx is done, and for no longer.
func findKeys(ctx context.Context, o Options, pause func() func()) (*keys, error) {
	k := &keys{options: o}
	if o.mayAsk(false) {
		k.locked = func(file string, public ssh.PublicKey) ssh.Signer {
			return &lockedKey{ctx: ctx, pause: pause, shared: o.Shared, file: file, public: public, failed: k.notOpened}
		}
	}
	if o.noPublicKey {
		return k, nil
	}
	if err := k.find(ctx); err != nil {
		k.Close()
		return nil, err
	}
	return k, nil
}

func (k *keys) find(ctx context.Context) error {
	o := k.options
	var found []ownKey
	switch {
	case len(o.IdentityFiles) > 0:
		for _, file := range o.IdentityFiles {
			one, err := k.read(ctx, file)
			if err != nil {
				return &hosts.Error{Kind: hosts.KindAuth, Op: "read the identity file", Err: k.withPassed(err), Fix: identityFix(file, err)}
			}
			found = append(found, one)
		}
	default:
		files := o.identityFiles
		if len(files) == 0 && !o.namesNoKeys {
			files = usualKeys()
		}
		k.held = k.askAgent(ctx)
		for _, file := range files {
			one, err := k.read(ctx, file)
			switch {
			case errors.Is(err, fs.ErrNotExist):
			case err != nil:
				k.passed = append(k.passed, fmt.Sprintf("%s: %v", file, err))
			default:
				found = append(found, one)
			}
		}
	}
	if err := k.certified(found); err != nil {
		return err
	}
	k.offerAll(found)
	return nil
}

// offerAll offers first what ssh-agent has of the files' keys, then its others, then the files' own.
func (k *keys) offerAll(found []ownKey) {
	for _, one := range found {
		if one.held {
			k.offer(one.file, one.signer)
		}
	}
	if len(k.options.IdentityFiles) == 0 && !k.options.onlyIdentities {
		for _, signer := range k.held {
			k.offer("ssh-agent's", signer)
		}
	}
	for _, one := range found {
		k.offer(one.file, one.signer)
	}
}

// withPassed adds to an error what could not be asked for the key.
func (k *keys) withPassed(err error) error {
	if len(k.passed) == 0 {
		return err
	}
	return fmt.Errorf("%w; %s", err, strings.Join(k.passed, "; "))
}

func sameKey(a, b ssh.PublicKey) bool { return string(a.Marshal()) == string(b.Marshal()) }

func holds(signers []ssh.Signer, key ssh.PublicKey) bool {
	return slices.ContainsFunc(signers, func(s ssh.Signer) bool { return sameKey(s.PublicKey(), key) })
}

// tried says which keys a host was offered, and which could not be.
func (k *keys) tried(o Options) string {
	tried := "no key was offered"
	if len(k.offered) > 0 {
		tried = "it refuses " + strings.Join(k.offered, ", ")
	}
	if o.noPublicKey {
		tried += "; PubkeyAuthentication is off in the configuration of ssh"
	}
	if len(k.passed) > 0 {
		tried += "; not used: " + strings.Join(k.passed, "; ")
	}
	return tried
}

// tooMany is the error of a host that did not want to see all of the keys.
func (k *keys) tooMany(o Options) error {
	return &hosts.Error{
		Kind: hosts.KindAuth, Op: fmt.Sprintf("log in to %s as %s", o.address(), o.User), Err: errors.New(k.tried(o)),
		Fix: "ssh-agent holds more keys than the host cares to see: name the right one as ssh.identityFile in the cluster file, or say IdentitiesOnly yes in ~/.ssh/config",
	}
}
