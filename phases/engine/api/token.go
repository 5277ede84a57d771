package api

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/plan"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	bootstrap "k8s.io/cluster-bootstrap/token/api"
)

// Token is a bootstrap token.
type Token struct {
	ID          string
	Secret      string // never printed by the type itself
	Description string
	Expires     time.Time // zero: never
	Usages      []string  // authentication, signing
	Groups      []string
}

// String is the token without its secret.
func (t Token) String() string { return "bootstrap token " + t.ID }

// GoString is the token without its secret.
func (t Token) GoString() string { return t.String() }

// Full is the token as a joining host needs it: id.secret.
func (t Token) Full() string { return t.ID + "." + t.Secret }

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
		Secret:      string(secret.Data[bootstrap.BootstrapTokenSecretKey]),
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

// CreateToken makes a bootstrap token; one of the same id is an error.
func (c *Client) CreateToken(ctx context.Context, token Token) error {
	err := c.persist(ctx, nil, func(ctx context.Context) error {
		_, err := c.typed.CoreV1().Secrets(metav1.NamespaceSystem).Create(ctx, asSecret(token), metav1.CreateOptions{FieldManager: FieldManager})
		return err
	})
	if err != nil {
		return fmt.Errorf("create %s: %w", token, discreet(err, true))
	}
	return nil
}

func asSecret(token Token) *corev1.Secret {
	data := map[string]string{
		bootstrap.BootstrapTokenIDKey:     token.ID,
		bootstrap.BootstrapTokenSecretKey: token.Secret,
	}
	if token.Description != "" {
		data[bootstrap.BootstrapTokenDescriptionKey] = token.Description
	}
	if !token.Expires.IsZero() {
		data[bootstrap.BootstrapTokenExpirationKey] = token.Expires.UTC().Format(time.RFC3339)
	}
	for _, usage := range token.Usages {
		data[bootstrap.BootstrapTokenUsagePrefix+usage] = "true"
	}
	if len(token.Groups) > 0 {
		data[bootstrap.BootstrapTokenExtraGroupsKey] = strings.Join(token.Groups, ",")
	}
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: metav1.NamespaceSystem, Name: bootstrap.BootstrapTokenSecretPrefix + token.ID},
		Type:       corev1.SecretType(bootstrap.SecretTypeBootstrapToken),
		StringData: data,
	}
}

// DeleteToken deletes a bootstrap token by id; it tells whether there was one.
func (c *Client) DeleteToken(ctx context.Context, id string) (bool, error) {
	key := hosts.ObjectKey{
		APIVersion: "v1", Kind: "Secret", Namespace: metav1.NamespaceSystem,
		Name: bootstrap.BootstrapTokenSecretPrefix + id,
	}
	done, err := c.delete(ctx, plan.Delete{Object: key}, func(hosts.Progress) {})
	if err != nil {
		return false, fmt.Errorf("delete bootstrap token %s: %w", id, err)
	}
	return done.Result == hosts.Changed, nil
}
