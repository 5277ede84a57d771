package ssh

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/slipway-k8s/slipway/hosts"
)

// pinError is of a host whose key is not one of Options.HostKeys. It may have one of another type.
type pinError struct {
	shown  ssh.PublicKey
	pinned []string
}

func (e *pinError) Error() string {
	return fmt.Sprintf("its %s key %s is none of those that ssh.hostKeys of the cluster file has: %s",
		e.shown.Type(), ssh.FingerprintSHA256(e.shown), strings.Join(e.pinned, ", "))
}

// checkPins holds a host's key to Options.HostKeys: fingerprints, or whole public keys.
func (k *knownHosts) checkPins(key ssh.PublicKey) error {
	pins := k.options.HostKeys
	var fingerprints []string
	for _, pin := range pins {
		if public, _, _, _, err := ssh.ParseAuthorizedKey([]byte(pin)); err == nil {
			pin = ssh.FingerprintSHA256(public)
		}
		fingerprints = append(fingerprints, pin)
	}
	if slices.Contains(fingerprints, ssh.FingerprintSHA256(key)) {
		return nil
	}
	return &hosts.Error{
		Kind: hosts.KindHostKeyChanged, Op: "check the host key of " + k.options.address(), Err: &pinError{key, fingerprints},
		Fix: fmt.Sprintf("somebody may be in between. See on the host itself which keys it has (for f in /etc/ssh/ssh_host_*_key.pub; do ssh-keygen -lf $f; done), and if it is right, write %s into ssh.hostKeys",
			ssh.FingerprintSHA256(key)),
	}
}

// pinnedTypes are the types of the pinned keys; nil where a fingerprint does not tell.
func (o Options) pinnedTypes() []string {
	var types []string
	for _, pin := range o.HostKeys {
		public, _, _, _, err := ssh.ParseAuthorizedKey([]byte(pin))
		if err != nil {
			return nil
		}
		types = append(types, public.Type())
	}
	return types
}

// otherType has the host asked for a key of another type, where the one that it showed is not pinned; false
// where there is none left to ask for.
func (k *knownHosts) otherType(err error) bool {
	var pin *pinError
	if !errors.As(err, &pin) {
		return false
	}
	k.mismatch = err
	k.shownTypes = append(k.shownTypes, pin.shown.Type())
	return len(k.algorithms()) > 0
}
