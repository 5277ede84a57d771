// Package certs says what is minted: the catalogue of certificates as a table, the
// PKI's types, and when something expires.
//
// It is pure; certs/mint signs, certs/store keeps the PKI on disk.
package certs

import "fmt"

// Pair is a certificate and its private key, both PEM.
type Pair struct {
	Cert []byte
	Key  []byte
}

// Format keeps the key out of whatever is printed.
func (Pair) Format(state fmt.State, _ rune) { fmt.Fprint(state, "[certificate and key]") }

// PKI is the key material that belongs to the whole cluster: its CAs and the key that
// signs service-account tokens. Leaves are minted from it, host by host.
type PKI struct {
	CA             Pair // kubernetes-ca
	FrontProxyCA   Pair // front-proxy-ca
	EtcdCA         Pair // etcd/ca
	ServiceAccount Pair // sa: Cert is the public key
	// Secret keys the digests that stand for secrets in plans and logs: 32 random bytes.
	Secret []byte
}

// Format keeps the keys out of whatever is printed.
func (PKI) Format(state fmt.State, _ rune) { fmt.Fprint(state, "[PKI]") }

// Leaf is one signed certificate: which catalogue entry it is and, for kubeconfigs, whose.
type Leaf struct {
	Name string // the catalogue's name: apiserver, etcd/peer, admin.conf, kubelet, …
	Pair
}
