package ssh

import (
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"
)

// preferred are the kinds of key in the order in which ssh likes them, with the
// signatures that they are asked for.
var preferred = []struct {
	keyType    string
	algorithms []string
	certs      []string
}{
	{ssh.KeyAlgoED25519, []string{ssh.KeyAlgoED25519}, []string{ssh.CertAlgoED25519v01}},
	{ssh.KeyAlgoECDSA256, []string{ssh.KeyAlgoECDSA256}, []string{ssh.CertAlgoECDSA256v01}},
	{ssh.KeyAlgoECDSA384, []string{ssh.KeyAlgoECDSA384}, []string{ssh.CertAlgoECDSA384v01}},
	{ssh.KeyAlgoECDSA521, []string{ssh.KeyAlgoECDSA521}, []string{ssh.CertAlgoECDSA521v01}},
	{
		ssh.KeyAlgoRSA,
		[]string{ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256},
		[]string{ssh.CertAlgoRSASHA512v01, ssh.CertAlgoRSASHA256v01},
	},
}

// algorithms asks the host first for the kinds of key that it is known by, unless the configuration of ssh
// chooses.
func (k *knownHosts) algorithms() []string {
	var certs, first, rest []string
	pinned, lines := k.options.pinnedTypes(), k.keys
	if len(lines) == 0 {
		lines = k.withoutPort
	}
	for _, kind := range preferred {
		if slices.Contains(k.shownTypes, kind.keyType) || pinned != nil && !slices.Contains(pinned, kind.keyType) {
			continue
		}
		certs = append(certs, kind.certs...)
		known := func(key knownKey) bool { return key.key.Type() == kind.keyType }
		if slices.ContainsFunc(lines, known) {
			first = append(first, kind.algorithms...)
		} else {
			rest = append(rest, kind.algorithms...)
		}
	}
	all := append(first, rest...)
	if k.wantsCertificates() {
		all = append(certs, all...)
	}
	return chosen(all, k.options.hostKeyTypes)
}

// chosen are the algorithms that HostKeyAlgorithms leaves, in its order: a list in place of ours, or with a
// + at its beginning more, with a - fewer, with a ^ those first. Of what is weak none comes back in.
func chosen(ours []string, list string) []string {
	if list == "" {
		return ours
	}
	patterns := strings.Split(strings.TrimLeft(list, "+-^"), ",")
	var named []string
	for _, pattern := range patterns {
		for _, one := range ours {
			if globs(pattern, one) && !slices.Contains(named, one) {
				named = append(named, one)
			}
		}
	}
	rest := slices.DeleteFunc(slices.Clone(ours), func(one string) bool { return slices.Contains(named, one) })
	switch list[0] {
	case '+':
		return ours
	case '-':
		return rest
	case '^':
		return append(named, rest...)
	}
	return named
}
