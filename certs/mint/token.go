package mint

import (
	"fmt"
	"strings"

	tokenutil "k8s.io/cluster-bootstrap/token/util"

	"github.com/slipway-k8s/slipway/certs"
)

// BootstrapToken makes a token in kubeadm's form: six characters, a dot, sixteen.
func BootstrapToken() (certs.Token, error) {
	text, err := tokenutil.GenerateBootstrapToken()
	if err != nil {
		return certs.Token{}, fmt.Errorf("mint a bootstrap token: %w", err)
	}
	id, secret, _ := strings.Cut(text, ".")
	return certs.Token{ID: id, Secret: secret}, nil
}
