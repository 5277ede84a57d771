package certs

import "fmt"

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
