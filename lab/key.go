package lab

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"strings"

	"golang.org/x/crypto/ssh"
)

// keyPair is an SSH key in the two forms that OpenSSH reads.
type keyPair struct {
	private []byte // PEM
	public  string // one line without newline: type, key, comment
}

func newKeyPair(comment string) (keyPair, error) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return keyPair{}, err
	}
	block, err := ssh.MarshalPrivateKey(private, comment)
	if err != nil {
		return keyPair{}, err
	}
	key, err := ssh.NewPublicKey(public)
	if err != nil {
		return keyPair{}, err
	}
	line := strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key)))
	return keyPair{private: pem.EncodeToMemory(block), public: line + " " + comment}, nil
}
