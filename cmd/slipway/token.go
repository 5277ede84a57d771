package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/slipway-k8s/slipway/phases/engine/api"
	"github.com/slipway-k8s/slipway/workflow"
)

func newTokenCommand(p *program) *cobra.Command {
	command := &cobra.Command{Use: "token", Short: "Bootstrap tokens, for joining by hand"}
	command.AddCommand(newTokenCreateCommand(p), newTokenListCommand(p), newTokenDeleteCommand(p))
	return command
}

func newTokenCreateCommand(p *program) *cobra.Command {
	var (
		ttl         time.Duration
		description string
		joinCommand bool
	)
	command := newAPICommand(p, "create -f FILE", "Create a bootstrap token", func(ctx context.Context, s *workflow.Session, _ []string) (result, error) {
		token, err := s.CreateToken(ctx, ttl, description)
		if err != nil {
			return result{}, err
		}
		text := token.Reveal()
		value := map[string]string{"token": text}
		if joinCommand {
			if text, err = s.JoinCommand(token); err != nil {
				return result{}, err
			}
			value["joinCommand"] = text
		}
		return result{value: value, text: func(w io.Writer) error {
			_, err := fmt.Fprintln(w, text)
			return err
		}}, nil
	})
	command.PreRunE = func(*cobra.Command, []string) error {
		if ttl < 0 {
			return usagef("--ttl %s: must not be negative; 0 is for ever", ttl)
		}
		return nil
	}
	command.Flags().DurationVar(&ttl, "ttl", workflow.TokenTTL, "how long it lives; 0 for ever")
	command.Flags().StringVar(&description, "description", "", "what it is for")
	command.Flags().BoolVar(&joinCommand, "print-join-command", false, "print the whole kubeadm join command")
	return command
}

func newTokenListCommand(p *program) *cobra.Command {
	return newAPICommand(p, "list -f FILE", "List bootstrap tokens, without their secrets", func(ctx context.Context, s *workflow.Session, _ []string) (result, error) {
		found, err := s.API().Tokens(ctx)
		if err != nil {
			return result{}, err
		}
		tokens := tokenRows(found)
		return result{value: tokens, text: func(w io.Writer) error { return writeTokens(w, tokens) }}, nil
	})
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

func newTokenDeleteCommand(p *program) *cobra.Command {
	command := newAPICommand(p, "delete -f FILE TOKEN...", "Delete bootstrap tokens, by id or whole", func(ctx context.Context, s *workflow.Session, tokens []string) (result, error) {
		var deleted []string
		for _, token := range tokens {
			id, _, _ := strings.Cut(token, ".")
			if err := s.DeleteToken(ctx, id); err != nil {
				return result{}, err
			}
			deleted = append(deleted, id)
		}
		return result{value: map[string][]string{"deleted": deleted}, text: func(w io.Writer) error {
			_, err := fmt.Fprintf(w, "deleted %s\n", strings.Join(deleted, ", "))
			return err
		}}, nil
	})
	command.Args = cobra.MinimumNArgs(1)
	return command
}
