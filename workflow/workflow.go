// Package workflow is the way of every command that works on a cluster: load, connect, observe,
// mint, preflight, plan, show, confirm, lease, apply, verify. All front ends share it: it tells
// them what happens as events, and asks them what there is to ask.
package workflow

import (
	"context"
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/certs/store"
	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases"
	"github.com/slipway-k8s/slipway/phases/checks"
	"github.com/slipway-k8s/slipway/phases/engine/api"
	"github.com/slipway-k8s/slipway/phases/forecast"
	"github.com/slipway-k8s/slipway/phases/plan"
	"github.com/slipway-k8s/slipway/phases/view"
)

// Workflow is one way to change a cluster.
type Workflow struct {
	Name string // as it is typed

	// Use, Short, Long and Example are its help.
	Use, Short, Long, Example string

	Args    Args
	Bundle  bool // it takes from a bundle
	Options []Option

	// check refuses a request that says too little or too much, before anything is read.
	check func(Request) error
	// begin is called before a host is reached.
	begin func(context.Context, *Session, *Run) error
	// reach are the hosts that are reached and observed.
	reach func(*cluster.Cluster, Request) []cluster.Host
	// few are those of them that are reached first, where they may do, with the folder of
	// the cluster's keys; needs tells then, by what has been observed, whom the plan depends
	// on. Without few all are reached at once, as they are where the few do not reach the
	// cluster's API.
	few   func(*Session, Request) ([]cluster.Host, *store.Folder)
	needs func(phases.Input) []cluster.Host
	// looked is called when hosts and cluster were looked at for the first time.
	looked func(context.Context, *Session, *Run) error
	// query is what to look at on a host; phases.HostQuery unless said.
	query func(*Session, cluster.Host) hosts.Query
	plan  func(*Session, phases.Input) (plan.Plan, plan.Contents, error)
	// verify looks whether the work is done; by observing and planning again unless said.
	verify func(context.Context, *Session, *Run) error
	// after is called at the end, with what went wrong.
	after func(*Session, *Run, error) error
	// smoke asks the cluster for its promises when all is done and well, under the hosts' lease; nil where
	// that is not part of the workflow.
	smoke func(context.Context, *Session, func(api.SmokeResult)) (SmokeReport, error)

	// forecast is what the workflow's drains will do, by what runs in the cluster, which is then
	// looked at; nil where it drains nothing.
	forecast func(phases.Input) (forecast.Forecast, error)
	// drains are the hosts that are drained, where only the plan tells; nil: the forecast knows by itself.
	drains func(phases.Input) []forecast.Set
	// Unasked tells that nobody is asked before it is carried out: it takes nothing away. New has its
	// requests say yes.
	Unasked bool
	// stops is how to go on where it has stopped; goOn unless said.
	stops string

	// Interrupted is said of one that was interrupted and could not tell how it stands; where it is empty,
	// the same command goes on.
	Interrupted string

	// already says, where there is nothing to do, how things are; its hosts are named behind it. Empty: as
	// the cluster file says.
	already string

	// carry is how a workflow that is more than one plan is carried out. Its plan is for showing only: it
	// would stop everything at once, and put nothing back.
	carry func(context.Context, *Session, *Run) error

	mints  bool // it may make a new cluster's keys
	alone  bool // it can do without the cluster's keys
	health bool // its plan goes by how the control planes' components are
	// traffic tells that it brings hosts: what only checks look at is looked at, and that they reach each other
	// is tried.
	traffic bool
	// deprecated tells that it brings another minor version: what needs APIs that go away is looked at.
	deprecated bool
}

// Args is what a workflow's arguments are.
type Args int

// What arguments are.
const (
	NoArgs    Args = iota
	SomeHosts      // names of hosts; none: all that the workflow is for
	Hosts          // at least one host's name
	Archives       // at least one file with images
)

// Option is a choice that the user has: a flag, or what else a front end makes of it.
type Option struct {
	Name, Usage string
	// Of gives where the choice is kept: a *bool, *int, *string, *[]string or *time.Duration; or,
	// where it matters that nothing was said, a **int or **time.Duration, which then stays nil.
	Of func(*Request) any
}

// Request is what a workflow is to do.
type Request struct {
	Hosts       []string // by name
	Archives    []string // files with images
	ImageName   string   // what to call the one image of the archives
	All         bool     // every host of the file
	Force       bool
	Offline     bool
	HostsOnly   bool // set the hosts' own settings alone, without a bundle
	RemoveStale bool
	Drain       DrainRequest
	Yes         bool // do it without asking
	// WorkersAtOnce is how many workers are changed at a time: a number, or a share in percent.
	WorkersAtOnce string
	// PauseAfter is after whose turn an upgrade pauses: a host, or all control planes.
	PauseAfter string
	SkipSmoke  bool // do not ask for the cluster's promises at the end
	// Without are hosts that are down, and are left out of an upgrade.
	Without []string
	// ForecastOnly asks for the forecast and nothing else: Session.Forecast gives it, and Session.Run shows it.
	ForecastOnly bool
	// IgnoreChecks are the names of checks whose findings stop nothing; they are told all the same.
	IgnoreChecks []string
}

// Run is one use of a workflow.
type Run struct {
	Workflow
	Request

	verified bool              // verify was called
	idle     bool              // there was nothing to do
	checking bool              // only the checks are asked
	boots    map[string]string // by host: the boot that a reboot is to end
	left     []string          // what was left for later, by the plan that was carried out
	planned  plan.Plan         // what is carried out
	kept     string            // why a reset keeps the cluster's keys; empty: it does not
}

// New is a workflow put to use.
func New(w Workflow, request Request) (*Run, error) {
	request.IgnoreChecks, request.Without = trimmed(request.IgnoreChecks), trimmed(request.Without)
	if w.check != nil {
		if err := w.check(request); err != nil {
			return nil, err
		}
	}
	if err := checks.MayIgnore(w.inChecks(), request.IgnoreChecks); err != nil {
		return nil, usagef("--ignore-checks: %w", err)
	}
	request.Yes = request.Yes || w.Unasked
	return &Run{Workflow: w, Request: request}, nil
}

// trimmed takes the spaces around names away, and what is no name: "NumCPU, Mem,".
func trimmed(names []string) []string {
	var all []string
	for _, name := range names {
		if name = strings.TrimSpace(name); name != "" {
			all = append(all, name)
		}
	}
	return all
}

// Ignorable are the names of the checks that Request.IgnoreChecks may have.
func (w Workflow) Ignorable() []string { return checks.Ignorable(w.inChecks()) }

// inChecks is the workflow's name in the table of the checks.
func (w Workflow) inChecks() view.Workflow {
	return view.Workflow(strings.ReplaceAll(w.Name, " ", "-"))
}

func everyHost(c *cluster.Cluster, _ Request) []cluster.Host { return c.Hosts }

// withControlPlanes are the hosts named (all, where none is), and the control planes,
// by which the cluster is reached and which know its keys.
func withControlPlanes(c *cluster.Cluster, names []string) []cluster.Host {
	var reached []cluster.Host
	for _, h := range c.Hosts {
		if len(names) == 0 || slices.Contains(names, h.Name) || h.HasRole(cluster.RoleControlPlane) {
			reached = append(reached, h)
		}
	}
	return reached
}

// withBalancers are the same and the balancers, which have to be told of who leaves.
func withBalancers(c *cluster.Cluster, names []string) []cluster.Host {
	for _, h := range c.Balancers() {
		if len(names) > 0 {
			names = append(slices.Clone(names), h.Name)
		}
	}
	return withControlPlanes(c, names)
}

// of makes a workflow's plan of a planner that needs nothing of the session.
func of(planner func(phases.Input) (plan.Plan, plan.Contents, error)) func(*Session, phases.Input) (plan.Plan, plan.Contents, error) {
	return func(_ *Session, in phases.Input) (plan.Plan, plan.Contents, error) { return planner(in) }
}
