package certs

import (
	"fmt"
	"strings"
)

// The lengths of a bootstrap token's parts, as Kubernetes fixes them.
const (
	TokenIDLength     = 6
	TokenSecretLength = 16
)

// Token is a bootstrap token: a public id and a secret.
type Token struct {
	ID     string
	Secret string
}

// String hides the secret, as all printing of a token does.
func (t Token) String() string { return t.ID + ".…" }

// Format keeps the secret out of every verb.
func (t Token) Format(state fmt.State, _ rune) { fmt.Fprint(state, t.String()) }

// MarshalText keeps the secret out of JSON.
func (t Token) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// Reveal is the whole token, as kubeadm join takes it.
func (t Token) Reveal() string { return t.ID + "." + t.Secret }

// ParseToken reads a token in kubeadm's form.
func ParseToken(text string) (Token, error) {
	id, secret, found := strings.Cut(text, ".")
	if !found || !isTokenPart(id, TokenIDLength) || !isTokenPart(secret, TokenSecretLength) {
		// The text may be a secret with a slip of the pen: it is not quoted.
		return Token{}, fmt.Errorf("parse token: want %d characters, a dot and %d characters, each of a-z and 0-9",
			TokenIDLength, TokenSecretLength)
	}
	return Token{ID: id, Secret: secret}, nil
}

func isTokenPart(part string, length int) bool {
	return len(part) == length && strings.Trim(part, "abcdefghijklmnopqrstuvwxyz0123456789") == ""
}
