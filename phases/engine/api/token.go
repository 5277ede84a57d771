package api

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	bootstrap "k8s.io/cluster-bootstrap/token/api"
)

// Token is a bootstrap token, without its secret.
type Token struct {
	ID          string
	Description string
	Expires     time.Time // zero: never
	Usages      []string  // authentication, signing
	Groups      []string
}

// Tokens lists the cluster's bootstrap tokens by id.
func (c *Client) Tokens(ctx context.Context) ([]Token, error) {
	var secrets corev1.SecretList
	err := c.persist(ctx, nil, func(ctx context.Context) error {
		return c.typed.CoreV1().RESTClient().Get().Namespace(metav1.NamespaceSystem).Resource("secrets").
			Param("fieldSelector", "type="+string(bootstrap.SecretTypeBootstrapToken)).MaxRetries(0).Do(ctx).Into(&secrets)
	})
	if err != nil {
		return nil, fmt.Errorf("list bootstrap tokens: %w", err)
	}
	var tokens []Token
	for _, secret := range secrets.Items {
		tokens = append(tokens, asToken(secret))
	}
	slices.SortFunc(tokens, func(a, b Token) int { return strings.Compare(a.ID, b.ID) })
	return tokens, nil
}

func asToken(secret corev1.Secret) Token {
	token := Token{
		ID:          string(secret.Data[bootstrap.BootstrapTokenIDKey]),
		Description: string(secret.Data[bootstrap.BootstrapTokenDescriptionKey]),
	}
	if expiry, err := time.Parse(time.RFC3339, string(secret.Data[bootstrap.BootstrapTokenExpirationKey])); err == nil {
		token.Expires = expiry
	}
	for key, value := range secret.Data {
		if usage, found := strings.CutPrefix(key, bootstrap.BootstrapTokenUsagePrefix); found && string(value) == "true" {
			token.Usages = append(token.Usages, usage)
		}
	}
	slices.Sort(token.Usages)
	if groups := string(secret.Data[bootstrap.BootstrapTokenExtraGroupsKey]); groups != "" {
		token.Groups = strings.Split(groups, ",")
	}
	return token
}
