package workflow

import (
	"context"
	"fmt"
	"time"

	"github.com/slipway-k8s/slipway/certs"
	"github.com/slipway-k8s/slipway/certs/mint"
	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// TokenTTL is how long a bootstrap token lives unless told otherwise: kubeadm's day.
const TokenTTL = 24 * time.Hour

// Group and usages of a token that joins nodes, as kubeadm has them.
const joinersGroup = "system:bootstrappers:kubeadm:default-node-token"

var joinUsages = []string{"signing", "authentication"}

// CreateToken makes a bootstrap token; one with a ttl of 0 never ends.
func (s *Session) CreateToken(ctx context.Context, ttl time.Duration, description string) (certs.Token, error) {
	token, err := mint.BootstrapToken()
	if err != nil {
		return token, err
	}
	object, err := manifests.BootstrapToken(manifests.Token{
		ID:          token.ID,
		Secret:      token.Secret,
		Expiration:  expiration(time.Now(), ttl),
		Usages:      joinUsages,
		Description: description,
		Groups:      []string{joinersGroup},
	})
	if err != nil {
		return token, err
	}
	action := plan.Apply{Object: object.Key, Content: "token", Secret: true}
	content := func(string) ([]byte, error) { return object.Content, nil }
	if _, err := s.api.Do(ctx, action, content, func(hosts.Progress) {}); err != nil {
		return token, fmt.Errorf("create token %s: %w", token.ID, err)
	}
	return token, nil
}

// expiration is when a token made now ends, in RFC 3339; empty for one without an end.
func expiration(now time.Time, ttl time.Duration) string {
	if ttl == 0 {
		return ""
	}
	return now.Add(ttl).UTC().Format(time.RFC3339)
}

// JoinCommand is what kubeadm's own `token create --print-join-command` prints.
func (s *Session) JoinCommand(token certs.Token) (string, error) {
	endpoint, err := s.joinAddress()
	if err != nil {
		return "", err
	}
	pin, err := certs.Pin(s.keys.pki.CA.Cert)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("kubeadm join %s --token %s --discovery-token-ca-cert-hash %s", endpoint, token.Reveal(), pin), nil
}

// DeleteToken deletes a bootstrap token by its id.
func (s *Session) DeleteToken(ctx context.Context, id string) error {
	key := hosts.ObjectKey{APIVersion: "v1", Kind: "Secret", Namespace: "kube-system", Name: "bootstrap-token-" + id}
	outcome, err := s.api.Do(ctx, plan.Delete{Object: key}, nil, func(hosts.Progress) {})
	if err != nil {
		return fmt.Errorf("delete token %s: %w", id, err)
	}
	if outcome.Result == hosts.Unchanged {
		return fmt.Errorf("delete token %s: there is no such token", id)
	}
	return nil
}

// joinAddress is where a host that joins by hand finds the cluster: the endpoint or, where
// that is each host's own balancer, a control plane that answers.
func (s *Session) joinAddress() (string, error) {
	if s.cluster.Endpoint.Mode == cluster.EndpointLocal {
		for _, h := range s.cluster.ControlPlanes() {
			if _, up := s.hosts[h.Name]; up {
				return manifests.APIAddress(s.cluster, h), nil
			}
		}
	}
	return manifests.EndpointAddress(s.cluster)
}
