package workflow

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/labels"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases"
	"github.com/slipway-k8s/slipway/phases/checks"
	"github.com/slipway-k8s/slipway/phases/forecast"
)

// Cordon keeps new Pods away from hosts.
var Cordon = Workflow{
	Name:  "cordon",
	Use:   "cordon -f FILE HOST...",
	Short: "Keep new Pods away from hosts",
	Long: `Mark the nodes of the named hosts unschedulable, as kubectl cordon does. What runs there stays.
The hosts themselves need not be reached.`,
	Args:    Hosts,
	already: "cordoned already",
	reach:   controlPlanes,
	query:   nothing,
	plan:    of(phases.Cordon),
}

// Uncordon lets hosts take Pods again.
var Uncordon = Workflow{
	Name:    "uncordon",
	Use:     "uncordon -f FILE HOST...",
	Short:   "Let hosts take Pods again",
	Long:    `Mark the nodes of the named hosts schedulable again, as kubectl uncordon does, whoever has cordoned them.`,
	Args:    Hosts,
	already: "not cordoned",
	reach:   controlPlanes,
	query:   nothing,
	plan:    of(phases.Uncordon),
}

// Drain has what runs on hosts run elsewhere.
var Drain = Workflow{
	Name:  "drain",
	Use:   "drain -f FILE HOST...",
	Short: "Have the Pods of hosts run elsewhere, and say beforehand what will block",
	Long: `Forecast what will become of each Pod, show that and the plan, ask, then cordon the named hosts
and evict their Pods as kubectl drain --ignore-daemonsets does. Afterwards the nodes stay cordoned,
until: slipway uncordon. A drain that fails or is interrupted uncordons what it has cordoned, and
nothing else. Where the forecast says that something blocks, nothing is touched unless --on-blocked
says what to do; what is not said here the section drain of the cluster file says.`,
	Example: `  slipway drain -f ha.yaml worker-1 --forecast
  slipway drain -f ha.yaml worker-1 --delete-emptydir-data --timeout 10m`,
	Args: Hosts,
	Options: append([]Option{
		{"pod-selector", "only the Pods with these labels", func(r *Request) any { return &r.Drain.PodSelector }},
		blockedChoice("stop, wait, force or skip"),
	}, drainChoices...),
	check:    func(r Request) error { return checkDrain(r, "") },
	begin:    func(_ context.Context, s *Session, r *Run) error { return s.checkDrainTimes(r.Request) },
	already:  "cordoned and drained already",
	reach:    controlPlanes,
	query:    nothing,
	plan:     of(phases.Drain),
	forecast: phases.DrainForecast,
}

// drainChoices are how hosts are drained, for every workflow that drains some.
var drainChoices = []Option{
	{"forecast", "say what will happen and what will block, and change nothing", func(r *Request) any { return &r.ForecastOnly }},
	{"grace-period", "seconds that each Pod gets to end; less than 0: what the Pod says itself", func(r *Request) any { return &r.Drain.GracePeriod }},
	{"timeout", "time limit for draining one host (" + shortly(cluster.DefaultDrainTimeout) + ", unless the section drain of the file says otherwise)", func(r *Request) any { return &r.Drain.Timeout }},
	{"force", "delete also Pods that no controller makes again", func(r *Request) any { return &r.Force }},
	{"delete-emptydir-data", "go on although what is in emptyDir volumes is lost", func(r *Request) any { return &r.Drain.DeleteEmptyDirData }},
	{"skip-wait-for-delete-timeout", "seconds after which a Pod that was told to end is not waited for; 0: always wait", func(r *Request) any { return &r.Drain.SkipWait }},
	{"disable-eviction", "delete Pods instead of evicting them: no PodDisruptionBudget is asked", func(r *Request) any { return &r.Drain.DisableEviction }},
	{"force-after", "with --on-blocked force: how long a Pod's eviction may be refused before it is deleted (" + shortly(cluster.DefaultForceAfter) + ", unless the section drain of the file says otherwise)", func(r *Request) any { return &r.Drain.ForceAfter }},
}

// shortly writes a time without its zeros: 5m.
func shortly(d cluster.Duration) string {
	return strings.TrimSuffix(time.Duration(d).String(), "0s")
}

// blockedChoice is the choice of what to do where a drain would not end.
func blockedChoice(choices string) Option {
	usage := fmt.Sprintf("what to do where a drain would not end: %s (%s, unless the section drain of the file says otherwise)", choices, cluster.DefaultOnBlocked)
	return Option{"on-blocked", usage, func(r *Request) any { return &r.Drain.OnBlocked }}
}

func controlPlanes(c *cluster.Cluster, _ Request) []cluster.Host { return c.ControlPlanes() }

// nothing is to be looked at on hosts but who they are.
func nothing(*Session, cluster.Host) hosts.Query { return hosts.Query{} }

// checkDrain refuses what a drain does not have. noSkip is why no host may be left out because its drain
// would not end; empty where one may.
func checkDrain(r Request, noSkip string) error {
	if _, err := labels.Parse(r.Drain.PodSelector); err != nil {
		return usagef("--pod-selector: %w", err)
	}
	said, choices := r.Drain.OnBlocked, "stop, wait, force or skip"
	if noSkip != "" {
		choices = "stop, wait or force"
	}
	switch {
	case said != "" && !slices.Contains(cluster.OnBlockedChoices, said):
		return usagef("--on-blocked %s: say %s", said, choices)
	case said == string(cluster.OnBlockedSkip) && noSkip != "":
		return usagef("--on-blocked %s: %s: say %s", said, noSkip, choices)
	case r.Drain.SkipWait < 0:
		return usagef("--skip-wait-for-delete-timeout %d: say 0 or more seconds", r.Drain.SkipWait)
	}
	return nil
}

// checkDrainTimes holds the times of command and file against each other.
func (s *Session) checkDrainTimes(r Request) error {
	options, onBlocked := s.drainOptions(r.Drain, r.Force)
	switch {
	case options.Timeout < 1:
		return usagef("--timeout: say at least 1s: a drain without an end would hold the cluster")
	case r.Drain.ForceAfter != nil && onBlocked != cluster.OnBlockedForce:
		return usagef("--force-after needs --on-blocked force")
	case r.Drain.ForceAfter != nil && options.ForceAfter < 1:
		return usagef("--force-after: say at least 1s")
	case options.ForceAfter >= options.Timeout && r.Drain.ForceAfter == nil:
		return usagef("the time limit of a drain, %d s, has to be more than the time after which --on-blocked force deletes a Pod, which is %d s unless said: say --force-after with less, or a longer --timeout",
			options.Timeout, options.ForceAfter)
	case options.ForceAfter >= options.Timeout:
		return usagef("--force-after %s: it has to be less than the time limit, %d s", r.Drain.ForceAfter, options.Timeout)
	}
	return nil
}

// Forecast says what a workflow's drains will do. Nothing is changed.
func (s *Session) Forecast(ctx context.Context, r *Run) (forecast.Forecast, error) {
	if err := s.observed(ctx, r); err != nil {
		return forecast.Forecast{}, err
	}
	in, err := s.inputOf(r)
	if err != nil {
		return forecast.Forecast{}, err
	}
	findings := slices.DeleteFunc(checks.Preflight(r.inChecks(), in.View), func(f checks.Finding) bool { return f.Check == "Drain" })
	if len(checks.Errors(findings)) > 0 {
		return forecast.Forecast{}, &checks.Refused{Findings: findings}
	}
	return r.forecast(in)
}
