package main

import (
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
		s, err := p.openAPI(command.Context(), flags)
		if err != nil {
			return err
		}
		defer s.Close()
		token, err := s.CreateToken(command.Context(), ttl, description)
		if err != nil {
			return err
		}
		text := token.Reveal()
		if joinCommand {
			if text, err = s.JoinCommand(token); err != nil {
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
	command.Flags().DurationVar(&ttl, "ttl", workflow.TokenTTL, "how long it lives; 0 for ever")
	command.Flags().StringVar(&description, "description", "", "what it is for")
	command.Flags().BoolVar(&joinCommand, "print-join-command", false, "print the whole kubeadm join command")
	return command
}

func newTokenListCommand(p *program) *cobra.Command {
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
		s, err := p.openAPI(command.Context(), flags)
		if err != nil {
			return err
		}
		defer s.Close()
		found, err := s.API().Tokens(command.Context())
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

func newTokenDeleteCommand(p *program) *cobra.Command {
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
		s, err := p.openAPI(command.Context(), flags)
		if err != nil {
			return err
		}
		defer s.Close()
		var deleted []string
		for _, token := range tokens {
			id, _, _ := strings.Cut(token, ".")
			if err := s.DeleteToken(command.Context(), id); err != nil {
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
