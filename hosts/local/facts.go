//go:build linux

package local

import (
	"context"
	"errors"
	"fmt"
	"runtime"

	"golang.org/x/sync/errgroup"

	"github.com/slipway-k8s/slipway/hosts"
)

// Observe reads what the query asks for, everything at the same time.
func (h *Host) Observe(ctx context.Context, query hosts.Query) (hosts.Facts, error) {
	if err := h.enter(); err != nil {
		return hosts.Facts{}, failure("look at the host", err)
	}
	defer h.calls.Done()
	if err := ctx.Err(); err != nil {
		return hosts.Facts{}, failure("look at the host", err)
	}
	report, done := guardProgress(hosts.Told(ctx))
	defer done()
	if query.Traffic != nil {
		return hosts.Facts{Traffic: h.observeTraffic(ctx, *query.Traffic, report), Time: h.now()}, nil
	}
	ctx = hosts.Telling(ctx, report)
	record, err := h.readRecord(ctx)
	if err != nil {
		return hosts.Facts{}, failure("look at the host", err)
	}
	report(hosts.Progress{Note: "looking"}) // each part has its time
	facts := hosts.Facts{Record: record, Arch: runtime.GOARCH, Kernel: kernelRelease()}
	query = query.With(record)
	observers := h.observers(query)
	parts, unanswered := make([]hosts.Facts, len(observers)), make([]*hosts.Unanswered, len(observers))
	group, inGroup := errgroup.WithContext(ctx)
	for i, o := range observers {
		group.Go(func() error {
			var err error
			parts[i], unanswered[i], err = within(inGroup, h.timeout, o.object, func(ctx context.Context) (hosts.Facts, error) {
				part := hosts.Facts{Record: record} // some judge by it
				err := o.observe(ctx, query, &part)
				return part, err
			})
			if err != nil {
				return fmt.Errorf("%s: %w", o.object, err)
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return hosts.Facts{}, failure("look at the host", err)
	}
	for i, part := range parts {
		merge(&facts, part)
		if unanswered[i] != nil {
			facts.Unanswered = append(facts.Unanswered, *unanswered[i])
		}
	}
	report(hosts.Progress{Note: "keeping what was hashed"})
	h.saveDigests(ctx)
	facts.Time = h.now() // last: whoever asked compares it with the time of the answer
	return facts, nil
}

// saveDigests saves the digests that were computed, also after an observation that failed: the
// next one goes on from there. It is given up where a file system does not answer.
func (h *Host) saveDigests(ctx context.Context) {
	_, _, _ = within(ctx, h.timeout, "digests", func(context.Context) (struct{}, error) {
		h.digests.save()
		return struct{}{}, nil
	})
}

// readRecord reads the record, without which nothing that is seen can be judged.
func (h *Host) readRecord(ctx context.Context) (*hosts.Record, error) {
	record, unanswered, err := within(ctx, h.timeout, "the record", func(ctx context.Context) (*hosts.Record, error) {
		lookingAt(ctx, h.record.path)
		return h.record.read()
	})
	if unanswered != nil {
		return nil, &hosts.Error{Kind: hosts.KindStuck, Op: "look at the host", Err: errors.New(unanswered.String())}
	}
	return record, err
}

// observer fills one part of the facts: fields that no other observer fills. It notes with
// lookingAt what it looks at next, so that one that is stuck can say where.
type observer struct {
	object  string
	observe func(ctx context.Context, query hosts.Query, facts *hosts.Facts) error
}

// observers are those of every observation, and those that a query asks for.
func (h *Host) observers(query hosts.Query) []observer {
	all := []observer{
		{"system", h.observeSystem},
		{hosts.LookCgroups, h.observeCgroups},
		{hosts.LookKernel, h.observeKernel},
		{hosts.LookDisks, h.observeDisks},
		{"systemd", h.observeSystemd},
		{hosts.LookSwap, h.observeSwap},
		{"network", h.observeInterfaces},
		{"lease", h.observeLease},
		{hosts.LookKept, h.observeKept},
		{hosts.LookForeign, h.observeForeign},
		{hosts.LookFirewall, h.observeFirewall},
		{hosts.LookPolicy, h.observePolicy},
		{hosts.LookTime, h.observeTime},
	}
	asked := []struct {
		observer
		asked bool
	}{
		{observer{"files", h.observeFiles}, len(query.Paths)+len(query.Trees)+len(query.Entries) > 0},
		{observer{hosts.LookContents, h.observeContents}, len(query.Contents)+len(query.Secrets) > 0},
		{observer{"certificates", h.observeCertificates}, len(query.Certificates) > 0},
		{observer{"kubeconfigs", h.observeKubeconfigs}, len(query.Kubeconfigs) > 0},
		{observer{"units", h.observeUnits}, len(query.Units) > 0},
		{observer{hosts.LookSysctls, h.observeSysctls}, len(query.Sysctls) > 0},
		{observer{hosts.LookModules, h.observeModules}, len(query.Modules) > 0},
		{observer{hosts.LookBoot, h.observeBoot}, len(query.Sysctls)+len(query.Modules) > 0},
		{observer{hosts.LookImages, h.observeImages}, len(query.Images) > 0},
		{observer{hosts.LookNames, h.observeNames}, len(query.Names) > 0},
		{observer{hosts.LookPorts, h.observeListeners}, len(query.Ports) > 0},
		{observer{hosts.LookLinks, h.observeLinks}, len(query.Links) > 0},
		{observer{hosts.LookTables, h.observeTables}, len(query.Tables) > 0},
		{observer{hosts.LookChains, h.observeChains}, len(query.Chains) > 0},
		{observer{hosts.LookReach, h.observeReach}, len(query.Reach) > 0},
		{observer{hosts.LookRoutes, h.observeRoutes}, len(query.Subnets) > 0},
		{observer{hosts.LookRouteTo, h.observeRouteTo}, len(query.RouteTo) > 0},
		{observer{hosts.LookSync, h.observeSync}, query.Sync != ""},
		{observer{hosts.LookSandboxes, h.observeSandboxes}, query.Sandboxes},
		{observer{hosts.LookConditions, h.observeConditions}, query.Conditions != nil},
		{observer{hosts.LookVirtualIP, h.observeVirtualIP}, query.VirtualIP != nil},
		{observer{"evidence", h.observeEvidence}, query.Evidence},
	}
	for _, a := range asked {
		if a.asked {
			all = append(all, a.observer)
		}
	}
	return all
}

func (h *Host) observeLease(_ context.Context, _ hosts.Query, facts *hosts.Facts) error {
	holder, err := h.lease.seen()
	facts.Lease = holder
	return err
}

func (h *Host) observeSystemd(ctx context.Context, _ hosts.Query, facts *hosts.Facts) error {
	lookingAt(ctx, "systemd")
	manager, err := h.systemd.Manager(ctx)
	if err != nil {
		return err
	}
	facts.Systemd = manager
	if manager.Version == 0 {
		h.observeResolver(facts, false)
		return nil
	}
	runs := map[string]bool{}
	for _, name := range []string{"systemd-resolved", "firewalld", "ufw"} {
		lookingAt(ctx, name+".service")
		if runs[name], err = h.runs(ctx, name+".service"); err != nil {
			return err
		}
	}
	h.observeResolver(facts, runs["systemd-resolved"])
	switch {
	case runs["firewalld"]:
		facts.Firewall = "firewalld"
	case runs["ufw"] && h.ufwEnabled():
		facts.Firewall = "ufw"
	}
	return nil
}

// runs tells whether a unit runs or is being restarted. No answer is an error: the unit may run.
func (h *Host) runs(ctx context.Context, name string) (bool, error) {
	state, err := h.unitIfAny(ctx, name)
	switch state.Active {
	case "active", "activating", "reloading", "deactivating":
		return true, err
	}
	return false, err
}

func (h *Host) observeUnits(ctx context.Context, query hosts.Query, facts *hosts.Facts) error {
	units := make(map[string]hosts.Unit, len(query.Units))
	for _, name := range query.Units {
		lookingAt(ctx, name)
		state, err := h.systemd.Unit(ctx, name)
		if errors.Is(err, errNoSystemd) {
			return nil
		}
		if err != nil {
			return err
		}
		units[name] = hosts.Unit{
			Load: state.Load, Active: state.Active, Enabled: state.Enabled,
			Inputs: h.unitInputs(name, state), Restarts: state.Restarts,
		}
	}
	facts.Units = units
	return nil
}

func (h *Host) observeSysctls(_ context.Context, query hosts.Query, facts *hosts.Facts) error {
	values := map[string]string{}
	for _, key := range query.Sysctls {
		if value, err := h.readSysctl(key); err == nil { // what the kernel lacks is absent
			values[key] = value
		}
	}
	facts.Sysctls = values
	return nil
}

func (h *Host) observeModules(_ context.Context, query hosts.Query, facts *hosts.Facts) error {
	modules := map[string]bool{}
	for _, name := range query.Modules {
		modules[name] = h.hasModule(name)
	}
	facts.Modules = modules
	return nil
}

func (h *Host) observeImages(ctx context.Context, query hosts.Query, facts *hosts.Facts) error {
	lookingAt(ctx, "containerd")
	found, err := h.images(ctx, query.Images)
	facts.Images = found
	return err
}
