package workflow

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
)

// Command is a program to run on hosts.
type Command struct {
	Argv  []string
	Hosts []string     // by name
	Role  cluster.Role // the hosts that have it, beside those named
	All   bool         // every host of the file
	Limit time.Duration
}

// CommandResult is what became of a command on a host.
type CommandResult struct {
	Host string `json:"host"`
	*hosts.CommandOutput
	Error   string  `json:"error,omitempty"` // why it did not run
	Lease   string  `json:"lease,omitempty"` // who works on the host meanwhile, by Slipway
	Seconds float64 `json:"seconds"`
}

// Failed tells whether the command did not run, or ended with another code than 0.
func (r CommandResult) Failed() bool {
	return r.Error != "" || r.CommandOutput == nil || r.Code != 0 || r.Cause != ""
}

// CommandError is the hosts on which a command failed.
type CommandError struct {
	Failed []string
	Of     int
}

func (e *CommandError) Error() string {
	return fmt.Sprintf("the command failed on %d of %s: %s", len(e.Failed), hosts.Count(e.Of, "host"), strings.Join(e.Failed, ", "))
}

// longestCommand bounds the limit: a call to a host has an end as well.
const longestCommand = time.Hour

// lookWithin bounds the look at who has a host's lease.
const lookWithin = 10 * time.Second

// RunCommand runs a program on all hosts that are meant at the same time, and tells of each when it
// has ended. No lease is taken: the command is its user's business, and may be needed just while
// something else goes on.
func (s *Session) RunCommand(ctx context.Context, c Command, tell func(CommandResult)) ([]CommandResult, error) {
	targets, err := s.targets(c)
	if err != nil {
		return nil, err
	}
	if err := s.connect(ctx, targets); err != nil {
		return nil, err
	}
	results := atOnce(targets, func(h cluster.Host) CommandResult {
		result := s.runOn(ctx, h.Name, c)
		tell(result)
		return result
	})
	if err := ctx.Err(); err != nil {
		return results, err
	}
	failed := &CommandError{Of: len(results)}
	for _, one := range results {
		if one.Failed() {
			failed.Failed = append(failed.Failed, one.Host)
		}
	}
	if len(failed.Failed) > 0 {
		return results, failed
	}
	return results, nil
}

// targets are the hosts that are meant, in the order of the file.
func (s *Session) targets(c Command) ([]cluster.Host, error) {
	switch {
	case len(c.Argv) == 0:
		return nil, usagef("run: say which command, after --")
	case len(c.Hosts) == 0 && c.Role == "" && !c.All:
		return nil, usagef("run: name hosts, or say --role or --all")
	case c.Limit < time.Second || c.Limit > longestCommand:
		return nil, usagef("run: --timeout is %s; it has to be from 1s to %s", c.Limit, longestCommand)
	}
	if err := s.known(c.Hosts); err != nil {
		return nil, err
	}
	var meant []cluster.Host
	for _, h := range s.cluster.Hosts {
		if c.All || slices.Contains(c.Hosts, h.Name) || c.Role != "" && h.HasRole(c.Role) {
			meant = append(meant, h)
		}
	}
	if len(meant) == 0 {
		return nil, usagef("run: no host of %s has the role %s", s.File, c.Role)
	}
	return meant, nil
}

func (s *Session) runOn(ctx context.Context, name string, c Command) CommandResult {
	began, result := time.Now(), CommandResult{Host: name}
	host, up := s.hosts[name]
	if !up {
		result.Error = s.down[name].Error()
		return result
	}
	look, cancel := context.WithTimeout(ctx, lookWithin)
	defer cancel()
	if facts, err := host.Observe(look, hosts.Query{}); err == nil && facts.Lease != nil {
		result.Lease = facts.Lease.Error()
	}
	outcome, err := host.Do(ctx, hosts.RunCommand{Argv: c.Argv, Timeout: int(c.Limit / time.Second)}, nil)
	result.CommandOutput, result.Seconds = outcome.Output, time.Since(began).Seconds()
	switch {
	case err != nil:
		result.Error = err.Error()
	case outcome.Output == nil:
		result.Error = "the host did not say how it ended"
	}
	return result
}
