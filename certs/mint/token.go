package mint

import "github.com/slipway-k8s/slipway/certs"

const (
	tokenAlphabet    = "abcdefghijklmnopqrstuvwxyz0123456789"
	passwordAlphabet = tokenAlphabet + "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
)

// BootstrapToken makes a token in kubeadm's form: six characters, a dot, sixteen.
func BootstrapToken() certs.Token {
	return certs.Token{ID: text(certs.TokenIDLength, tokenAlphabet), Secret: text(certs.TokenSecretLength, tokenAlphabet)}
}

// Password makes a password of letters and digits, safe in any file format.
func Password(length int) string { return text(length, passwordAlphabet) }

// text draws characters, each equally likely.
func text(length int, alphabet string) string {
	// Bytes at and above the greatest multiple would make the first characters likelier.
	limit := 256 - 256%len(alphabet)
	drawn := make([]byte, 0, length)
	for len(drawn) < length {
		for _, b := range random(2 * length) {
			if int(b) < limit && len(drawn) < length {
				drawn = append(drawn, alphabet[int(b)%len(alphabet)])
			}
		}
	}
	return string(drawn)
}
