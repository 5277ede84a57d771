package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/slipway-k8s/slipway/certs"
	"github.com/slipway-k8s/slipway/certs/mint"
	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/engine/api"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// tokenTTL is how long a bootstrap token lives unless told otherwise: kubeadm's day.
const tokenTTL = 24 * time.Hour

// Group and usages of a token that joins nodes, as kubeadm has them.
const joinersGroup = "system:bootstrappers:kubeadm:default-node-token"

var joinUsages = []string{"signing", "authentication"}

func newTokenCommand() *cobra.Command {
	command := &cobra.Command{Use: "token", Short: "Bootstrap tokens, for joining by hand"}
	command.AddCommand(newTokenCreateCommand(), newTokenListCommand(), newTokenDeleteCommand())
	return command
}

func newTokenCreateCommand() *cobra.Command {
	var (
		flags       clusterFlags
		ttl         time.Duration
		description string
		joinCommand bool
	)
	command := &cobra.Command{
		Use:   "create -f FILE",
		Short: "Create a bootstrap token",
		Args:  cobra.NoArgs,
	}
	format := outputFlag(command)
	command.RunE = func(command *cobra.Command, _ []string) error {
		if err := checkFormat(*format); err != nil {
			return err
		}
		if ttl < 0 {
			return usagef("--ttl %s: must not be negative; 0 is for ever", ttl)
		}
		s, err := openAPI(command.Context(), flags)
		if err != nil {
			return err
		}
		defer s.Close()
		token, err := mint.BootstrapToken()
		if err != nil {
			return err
		}
		if err := s.createToken(command, token, ttl, description); err != nil {
			return err
		}
		text := token.Reveal()
		if joinCommand {
			if text, err = s.joinCommand(token); err != nil {
				return err
			}
		}
		value := map[string]string{"token": token.Reveal()}
		if joinCommand {
			value["joinCommand"] = text
		}
		return show(command.OutOrStdout(), *format, value, func(w io.Writer) error {
			_, err := fmt.Fprintln(w, text)
			return err
		})
	}
	flags.add(command)
	command.Flags().DurationVar(&ttl, "ttl", tokenTTL, "how long it lives; 0 for ever")
	command.Flags().StringVar(&description, "description", "", "what it is for")
	command.Flags().BoolVar(&joinCommand, "print-join-command", false, "print the whole kubeadm join command")
	return command
}

func (s *session) createToken(command *cobra.Command, token certs.Token, ttl time.Duration, description string) error {
	object, err := manifests.BootstrapToken(manifests.Token{
		ID:          token.ID,
		Secret:      token.Secret,
		Expiration:  expiration(time.Now(), ttl),
		Usages:      joinUsages,
		Description: description,
		Groups:      []string{joinersGroup},
	})
	if err != nil {
		return err
	}
	action := plan.Apply{Object: object.Key, Content: "token", Secret: true}
	content := func(string) ([]byte, error) { return object.Content, nil }
	if _, err := s.api.Do(command.Context(), action, content, func(hosts.Progress) {}); err != nil {
		return fmt.Errorf("create token %s: %w", token.ID, err)
	}
	return nil
}

// expiration is when a token made now ends, in RFC 3339; empty for one without an end.
func expiration(now time.Time, ttl time.Duration) string {
	if ttl == 0 {
		return ""
	}
	return now.Add(ttl).UTC().Format(time.RFC3339)
}

// joinCommand is what kubeadm's own `token create --print-join-command` prints.
func (s *session) joinCommand(token certs.Token) (string, error) {
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

func newTokenListCommand() *cobra.Command {
	var flags clusterFlags
	command := &cobra.Command{
		Use:   "list -f FILE",
		Short: "List bootstrap tokens, without their secrets",
		Args:  cobra.NoArgs,
	}
	format := outputFlag(command)
	command.RunE = func(command *cobra.Command, _ []string) error {
		if err := checkFormat(*format); err != nil {
			return err
		}
		s, err := openAPI(command.Context(), flags)
		if err != nil {
			return err
		}
		defer s.Close()
		found, err := s.api.Tokens(command.Context())
		if err != nil {
			return err
		}
		tokens := tokenRows(found)
		return show(command.OutOrStdout(), *format, tokens, func(w io.Writer) error { return writeTokens(w, tokens) })
	}
	flags.add(command)
	return command
}

// tokenRow is a token as it is shown: without its secret.
type tokenRow struct {
	ID          string   `json:"id"`
	Expires     string   `json:"expires,omitempty"` // RFC 3339; empty: never
	Usages      []string `json:"usages"`
	Groups      []string `json:"groups,omitempty"`
	Description string   `json:"description,omitempty"`
	left        string
}

func tokenRows(tokens []api.Token) []tokenRow {
	rows := []tokenRow{}
	for _, token := range tokens {
		row := tokenRow{ID: token.ID, Usages: token.Usages, Groups: token.Groups, Description: token.Description, left: "for ever"}
		if !token.Expires.IsZero() {
			row.Expires = token.Expires.UTC().Format(time.RFC3339)
			row.left = time.Until(token.Expires).Round(time.Minute).String()
		}
		rows = append(rows, row)
	}
	return rows
}

func writeTokens(w io.Writer, tokens []tokenRow) error {
	var rows [][]string
	for _, token := range tokens {
		rows = append(rows, []string{token.ID, token.left, dash(token.Expires), strings.Join(token.Usages, ","), dash(token.Description)})
	}
	return writeTable(w, "TOKEN\tTTL\tEXPIRES\tUSAGES\tDESCRIPTION", rows)
}

func newTokenDeleteCommand() *cobra.Command {
	var flags clusterFlags
	command := &cobra.Command{
		Use:   "delete -f FILE TOKEN...",
		Short: "Delete bootstrap tokens, by id or whole",
		Args:  cobra.MinimumNArgs(1),
	}
	format := outputFlag(command)
	command.RunE = func(command *cobra.Command, tokens []string) error {
		if err := checkFormat(*format); err != nil {
			return err
		}
		s, err := openAPI(command.Context(), flags)
		if err != nil {
			return err
		}
		defer s.Close()
		var deleted []string
		for _, token := range tokens {
			id, _, _ := strings.Cut(token, ".")
			if err := s.deleteToken(command, id); err != nil {
				return err
			}
			deleted = append(deleted, id)
		}
		return show(command.OutOrStdout(), *format, map[string][]string{"deleted": deleted}, func(w io.Writer) error {
			_, err := fmt.Fprintf(w, "deleted %s\n", strings.Join(deleted, ", "))
			return err
		})
	}
	flags.add(command)
	return command
}

func (s *session) deleteToken(command *cobra.Command, id string) error {
	key := hosts.ObjectKey{APIVersion: "v1", Kind: "Secret", Namespace: "kube-system", Name: "bootstrap-token-" + id}
	outcome, err := s.api.Do(command.Context(), plan.Delete{Object: key}, nil, func(hosts.Progress) {})
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
func (s *session) joinAddress() (string, error) {
	if s.cluster.Endpoint.Mode == cluster.EndpointLocal {
		for _, h := range s.cluster.ControlPlanes() {
			if _, up := s.hosts[h.Name]; up {
				return manifests.APIAddress(s.cluster, h), nil
			}
		}
	}
	return manifests.EndpointAddress(s.cluster)
}
