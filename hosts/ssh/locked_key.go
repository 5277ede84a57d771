package ssh

import (
	"context"
	"fmt"
	"io"
	"os"
	"sync"

	"golang.org/x/crypto/ssh"
)

// mostPassphrases is how often a key's passphrase is asked for.
const mostPassphrases = 3

// lockedKey is a private key that is opened by a passphrase when a host has said that it takes it.
type lockedKey struct {
	ctx    context.Context
	pause  func() func()
	shared *Shared
	file   string
	public ssh.PublicKey
	failed func(file string, err error)
}

var _ ssh.AlgorithmSigner = (*lockedKey)(nil)

func (k *lockedKey) PublicKey() ssh.PublicKey { return k.public }

func (k *lockedKey) Sign(rand io.Reader, data []byte) (*ssh.Signature, error) {
	return k.SignWithAlgorithm(rand, data, "")
}

func (k *lockedKey) SignWithAlgorithm(rand io.Reader, data []byte, algorithm string) (*ssh.Signature, error) {
	defer k.pause()()
	signer, err := k.shared.open(k.ctx, k.file)
	if err != nil {
		k.failed(k.file, err)
		return nil, err
	}
	if as, is := signer.(ssh.AlgorithmSigner); is && algorithm != "" {
		return as.SignWithAlgorithm(rand, data, algorithm)
	}
	return signer.Sign(rand, data)
}

// openedKey is one that was opened, or could not be.
type openedKey struct {
	turn   sync.Mutex
	signer ssh.Signer
	err    error
}

// open asks for a key's passphrase, once for all hosts. It is not sent anywhere.
func (s *Shared) open(ctx context.Context, file string) (ssh.Signer, error) {
	s.mutex.Lock()
	one := s.opened[file]
	if one == nil {
		one = &openedKey{}
		s.opened[file] = one
	}
	s.mutex.Unlock()
	one.turn.Lock()
	defer one.turn.Unlock()
	if one.signer != nil || one.err != nil {
		return one.signer, one.err
	}
	signer, err := s.ask.open(ctx, file)
	if err == nil || ctx.Err() == nil {
		one.signer, one.err = signer, err
	}
	return signer, err
}

func (ask Ask) open(ctx context.Context, file string) (ssh.Signer, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	question := Question{About: file, Text: "Passphrase for the key " + file}
	for range mostPassphrases {
		passphrase, err := ask(ctx, question)
		if err != nil {
			return nil, err
		}
		key, err := ssh.ParseRawPrivateKeyWithPassphrase(content, []byte(passphrase))
		if err == nil {
			return ssh.NewSignerFromKey(key)
		}
		question.Said = "it does not open the key"
	}
	return nil, errPassphrase
}

var errPassphrase = fmt.Errorf("none of %d passphrases opens it", mostPassphrases)
