//go:build linux

package local

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/slipway-k8s/slipway/hosts"
)

// Observe reads what the query asks for, everything at the same time.
func (h *Host) Observe(ctx context.Context, query hosts.Query) (hosts.Facts, error) {
	if err := h.enter(); err != nil {
		return hosts.Facts{}, failure("look at the host", err)
	}
	defer h.inHand.Done()
	if err := ctx.Err(); err != nil {
		return hosts.Facts{}, failure("look at the host", err)
	}
	report, done := guardProgress(hosts.Told(ctx))
	defer done()
	ctx = hosts.Telling(ctx, report)
	record, err := h.readRecord(ctx)
	if err != nil {
		return hosts.Facts{}, failure("look at the host", err)
	}
	report(hosts.Progress{Note: "looking"}) // each part has its time
	facts := hosts.Facts{Record: record, Arch: runtime.GOARCH, Kernel: kernelRelease()}
	lookers := h.lookers(query)
	parts, silent := make([]hosts.Facts, len(lookers)), make([]*hosts.Unanswered, len(lookers))
	group, looking := errgroup.WithContext(ctx)
	for i, look := range lookers {
		group.Go(func() error {
			var err error
			if parts[i], silent[i], err = look.see(looking, record, h.patience); err != nil {
				return fmt.Errorf("%s: %w", look.object, err)
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return hosts.Facts{}, failure("look at the host", err)
	}
	for i, part := range parts {
		take(&facts, part)
		if silent[i] != nil {
			facts.Unanswered = append(facts.Unanswered, *silent[i])
		}
	}
	report(hosts.Progress{Note: "keeping what was hashed"})
	h.saveDigests(ctx)
	facts.Time = h.now() // last: whoever asked compares it with the time of the answer
	return facts, nil
}

// saveDigests saves what was learnt, also where not all was: the next look goes on from
// there. Saving looks at all that is kept, and is left behind where that stands still.
func (h *Host) saveDigests(ctx context.Context) {
	_, _, _ = within(ctx, h.patience, "digests", func(context.Context) (struct{}, error) {
		h.digests.save()
		return struct{}{}, nil
	})
}

// readRecord reads the record, without which nothing that is seen can be judged.
func (h *Host) readRecord(ctx context.Context) (*hosts.Record, error) {
	record, silent, err := within(ctx, h.patience, "the record", func(ctx context.Context) (*hosts.Record, error) {
		lookingAt(ctx, h.record.path)
		return h.record.read()
	})
	if silent != nil {
		return nil, &hosts.Error{Kind: hosts.KindStuck, Op: "look at the host", Err: errors.New(silent.String())}
	}
	return record, err
}

// see has the looker look, at most until patience is over.
func (l looker) see(ctx context.Context, record *hosts.Record, patience time.Duration) (hosts.Facts, *hosts.Unanswered, error) {
	return within(ctx, patience, l.object, func(ctx context.Context) (hosts.Facts, error) {
		part := hosts.Facts{Record: record} // some judge by it
		err := l.at(ctx, &part)
		return part, err
	})
}

// looker reads one part of the facts: it writes fields that no other writes, and tells
// by lookingAt what it is at.
type looker struct {
	object string
	at     func(ctx context.Context, facts *hosts.Facts) error
}

// lookers are those that a query asks for, beside those that every observation has.
func (h *Host) lookers(query hosts.Query) []looker {
	all := []looker{
		{"system", h.seeSystem},
		{hosts.LookCgroups, h.seeCgroups},
		{hosts.LookKernel, h.seeKernel},
		{hosts.LookDisks, h.seeDisks},
		{"systemd", h.seeSystemd},
		{hosts.LookSwap, h.seeSwap},
		{"network", h.seeInterfaces},
		{"lease", h.seeLease},
		{hosts.LookForeign, h.seeForeign},
	}
	asked := []struct {
		looker
		count int
	}{
		{looker{"files", h.seeFiles(query)}, len(query.Paths) + len(query.Trees) + len(query.Entries)},
		{looker{hosts.LookContents, h.seeContents(query)}, len(query.Contents) + len(query.Secrets)},
		{looker{"certificates", h.seeCertificates(query.Certificates)}, len(query.Certificates)},
		{looker{"kubeconfigs", h.seeKubeconfigs(query.Kubeconfigs)}, len(query.Kubeconfigs)},
		{looker{"units", h.seeUnits(query.Units)}, len(query.Units)},
		{looker{hosts.LookSysctls, h.seeSysctls(query.Sysctls)}, len(query.Sysctls)},
		{looker{hosts.LookModules, h.seeModules(query.Modules)}, len(query.Modules)},
		{looker{hosts.LookBoot, h.seeBoot(query)}, len(query.Sysctls) + len(query.Modules)},
		{looker{hosts.LookImages, h.seeImages(query.Images)}, len(query.Images)},
		{looker{hosts.LookNames, h.seeNames(query.Names)}, len(query.Names)},
		{looker{hosts.LookPorts, h.seeListeners(query.Ports)}, len(query.Ports)},
		{looker{hosts.LookLinks, h.seeLinks(query.Links)}, len(query.Links)},
		{looker{hosts.LookTables, h.seeTables(query.Tables)}, len(query.Tables)},
		{looker{hosts.LookChains, h.seeChains(query.Chains)}, len(query.Chains)},
		{looker{hosts.LookReach, h.seeReach(query.Reach)}, len(query.Reach)},
		{looker{hosts.LookRoutes, h.seeRoutes(query.Subnets)}, len(query.Subnets)},
		{looker{hosts.LookRouteTo, h.seeRouteTo(query.RouteTo)}, len(query.RouteTo)},
		{looker{hosts.LookSync, h.seeSync(query.Sync)}, len(query.Sync)},
	}
	for _, a := range asked {
		if a.count > 0 {
			all = append(all, a.looker)
		}
	}
	if query.Sandboxes {
		all = append(all, looker{hosts.LookSandboxes, h.seeSandboxes})
	}
	if query.VirtualIP != nil {
		all = append(all, looker{hosts.LookVirtualIP, h.seeVirtualIP(query.VirtualIP)})
	}
	if query.Evidence {
		all = append(all, looker{"evidence", h.seeEvidence})
	}
	return all
}

func (h *Host) seeLease(_ context.Context, facts *hosts.Facts) error {
	holder, err := h.lease.seen()
	facts.Lease = holder
	return err
}

func (h *Host) seeSystemd(ctx context.Context, facts *hosts.Facts) error {
	lookingAt(ctx, "systemd")
	manager, err := h.systemd.Manager(ctx)
	if err != nil {
		return err
	}
	facts.Systemd = manager
	if manager.Version == 0 {
		h.seeResolver(facts, false)
		return nil
	}
	runs := map[string]bool{}
	for _, name := range []string{"systemd-resolved", "firewalld", "ufw"} {
		lookingAt(ctx, name+".service")
		if runs[name], err = h.runs(ctx, name+".service"); err != nil {
			return err
		}
	}
	h.seeResolver(facts, runs["systemd-resolved"])
	switch {
	case runs["firewalld"]:
		facts.Firewall = "firewalld"
	case runs["ufw"] && h.ufwEnabled():
		facts.Firewall = "ufw"
	}
	return nil
}

// runs tells whether a unit runs, also in the moment in which it is restarted. No answer says
// nothing about it, and is an error.
func (h *Host) runs(ctx context.Context, name string) (bool, error) {
	state, err := h.systemd.Unit(ctx, name)
	if errors.Is(err, errNoSystemd) {
		return false, nil
	}
	switch state.Active {
	case "active", "activating", "reloading", "deactivating":
		return true, err
	}
	return false, err
}

func (h *Host) seeUnits(names []string) func(context.Context, *hosts.Facts) error {
	return func(ctx context.Context, facts *hosts.Facts) error {
		units := make(map[string]hosts.Unit, len(names))
		for _, name := range names {
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
}

func (h *Host) seeSysctls(keys []string) func(context.Context, *hosts.Facts) error {
	return func(_ context.Context, facts *hosts.Facts) error {
		values := map[string]string{}
		for _, key := range keys {
			if value, err := h.readSysctl(key); err == nil { // what the kernel lacks is absent
				values[key] = value
			}
		}
		facts.Sysctls = values
		return nil
	}
}

func (h *Host) seeModules(names []string) func(context.Context, *hosts.Facts) error {
	return func(_ context.Context, facts *hosts.Facts) error {
		modules := map[string]bool{}
		for _, name := range names {
			modules[name] = h.hasModule(name)
		}
		facts.Modules = modules
		return nil
	}
}

func (h *Host) seeImages(references []string) func(context.Context, *hosts.Facts) error {
	return func(ctx context.Context, facts *hosts.Facts) error {
		lookingAt(ctx, "containerd")
		found, err := h.images(ctx, references)
		facts.Images = found
		return err
	}
}
