package ssh

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"

	"golang.org/x/crypto/ssh"

	"github.com/slipway-k8s/slipway/hosts"
)

// Trust connects to a host as far as its host key, and accepts the key where it has this
// fingerprint (SHA256:…): see UnknownKey.Accept. Nothing is logged in to. added is false where the
// key was known already. All errors are *hosts.Error; that of a key with another fingerprint
// has the kind hosts.KindHostKeyUnknown, and nothing was written then.
func Trust(ctx context.Context, options Options, fingerprint string) (key *UnknownKey, added bool, err error) {
	if options.Shared == nil {
		options.Shared = NewShared(nil)
	}
	o, err := Resolve(ctx, options)
	if err != nil {
		return nil, false, err
	}
	key, added, err = trust(ctx, o, fingerprint)
	return key, added, named(o.Name, "check the host key of "+o.address(), err)
}

func trust(ctx context.Context, o Options, fingerprint string) (*UnknownKey, bool, error) {
	known, err := readKnownHosts(o)
	if err != nil {
		return nil, false, err
	}
	known.authorities = nil   // the host is asked for its key, and not for a certificate
	o.TrustOnFirstUse = false // what is accepted is said
	shown, err := showKey(ctx, o, known)
	var jump *UnknownKey
	if errors.As(err, &jump) && jump.Fingerprint == fingerprint { // of a jump host, on the way
		err = jump.Accept()
		return jump, err == nil, err
	}
	if err != nil {
		return nil, false, err
	}
	key := known.unknownKey(shown)
	if key.Fingerprint != fingerprint {
		return key, false, &hosts.Error{
			Kind: hosts.KindHostKeyUnknown, Op: "check the host key of " + o.address(),
			Err: fmt.Errorf("it shows the %s key %s, and not %s: nothing was written", key.Type, key.Fingerprint, fingerprint),
			Fix: fmt.Sprintf("see on the host itself which is right: %s; if it is not the one that is shown, somebody may be in between", key.Where()),
		}
	}
	err = known.check(o.address(), nil, shown)
	var unknown *UnknownKey
	if !errors.As(err, &unknown) {
		return key, false, err
	}
	err = key.Accept()
	return key, err == nil, err
}

// errShown ends a handshake that has shown all that was wanted of it.
var errShown = errors.New("the host has shown its key")

// showKey is a handshake up to the host's key, of those that it has the one that Connect would see.
func showKey(ctx context.Context, o Options, known *knownHosts) (ssh.PublicKey, error) {
	bounded := newPatience(ctx, o.ConnectTimeout)
	defer bounded.end()
	raw, err := dial(bounded, o, bounded)
	if err != nil {
		return nil, unreachable(ctx, o, "", cmp.Or(bounded.Err(), err))
	}
	defer raw.Close()
	defer context.AfterFunc(bounded, func() { _ = raw.Close() })()
	var shown ssh.PublicKey
	watched := &watchedConn{Conn: raw, greeted: func() { bounded.atLeast(o.greeted) }}
	_, _, _, err = ssh.NewClientConn(watched, o.address(), &ssh.ClientConfig{
		User: o.User,
		HostKeyCallback: func(_ string, _ net.Addr, key ssh.PublicKey) error {
			shown = key
			return errShown
		},
		HostKeyAlgorithms: known.algorithms(), ClientVersion: clientVersion,
	})
	if errors.Is(err, errShown) {
		return shown, nil
	}
	if bounded.Err() != nil {
		return nil, unreachable(ctx, o, watched.seen(0), bounded.Err())
	}
	return nil, unreachable(ctx, o, watched.seen(exitPatience), err)
}
