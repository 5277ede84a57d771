//go:build linux

package local

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
)

// stopPods stops and removes every Pod, container and task, and the control groups that
// they were in: through containerd or, where that does not run, by ending what it has left.
func (h *Host) stopPods(ctx context.Context, a hosts.StopPods, report func(hosts.Progress)) (hosts.Outcome, error) {
	if len(a.Only) > 0 {
		return h.endPods(ctx, a, report)
	}
	found, stop, err := h.findPods(ctx, report)
	if err != nil {
		return hosts.Outcome{}, err
	}
	groups, err := h.leftoverGroups(ctx)
	if err != nil {
		return hosts.Outcome{}, err
	}
	slice, err := h.podsSlice(ctx)
	if err != nil {
		return hosts.Outcome{}, err
	}
	if slice {
		found = append(found, podsSlice)
	}
	if len(groups) > 0 {
		found = append(found, fmt.Sprintf("%d control groups", len(groups)))
	}
	if len(found) == 0 {
		return unchanged, nil
	}
	return h.apply(ctx, change{
		action: a,
		detail: strings.Join(found, ", "),
		act: func(ctx context.Context) error {
			if err := stop(ctx); err != nil {
				return err
			}
			return h.removeLeftoverGroups(ctx, slice)
		},
	})
}

// findPods tells what of Pods runs, and how to end it.
func (h *Host) findPods(ctx context.Context, report func(hosts.Progress)) (found []string, stop func(context.Context) error, err error) {
	pods, err := h.containerd.Pods(ctx)
	if errors.Is(err, errNoContainerd) {
		orphans, err := h.orphans()
		if len(orphans) > 0 {
			found = append(found, fmt.Sprintf("%d processes that containerd left", len(orphans)))
		}
		return found, h.endOrphans, err
	}
	if len(pods) > 0 {
		found = append(found, fmt.Sprintf("%d sandboxes and containers", len(pods)))
	}
	return found, func(ctx context.Context) error {
		return h.containerd.StopPods(ctx, func(note string) { report(hosts.Progress{Note: note}) })
	}, err
}

// removeLeftoverGroups removes the control groups that ended Pods leave, with the unit of
// systemd's that would make them again, where there is one.
func (h *Host) removeLeftoverGroups(ctx context.Context, slice bool) error {
	if slice {
		if err := h.systemd.Run(ctx, JobStop, podsSlice); err != nil {
			return err
		}
	}
	groups, err := h.leftoverGroups(ctx)
	if err != nil {
		return err
	}
	return removeGroups(groups)
}

// endPods stops and removes the Pods of kube-system that an action names, and gives their
// containers time to end.
func (h *Host) endPods(ctx context.Context, a hosts.StopPods, report func(hosts.Progress)) (hosts.Outcome, error) {
	grace := time.Duration(a.Grace) * time.Second
	running, err := h.containerd.Running(ctx, a.Only)
	end := func(ctx context.Context) error {
		return h.containerd.EndPods(ctx, running, grace, func(note string) { report(hosts.Progress{Note: note}) })
	}
	if errors.Is(err, errNoContainerd) {
		running, err = h.orphanPods(a.Only)
		end = func(ctx context.Context) error { return h.endOrphanPods(ctx, running, grace) }
	}
	if err != nil {
		return hosts.Outcome{}, err
	}
	if len(running) == 0 {
		return unchanged, nil
	}
	return h.apply(ctx, change{action: a, detail: strings.Join(running, ", "), act: end})
}
