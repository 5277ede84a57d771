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
	var found []string
	var stop func(context.Context) error
	pods, err := h.containerd.Pods(ctx)
	switch {
	case errors.Is(err, errNoContainerd):
		orphans, err := h.orphans()
		if err != nil {
			return hosts.Outcome{}, err
		}
		if len(orphans) > 0 {
			found = append(found, fmt.Sprintf("%d processes that containerd left", len(orphans)))
		}
		stop = h.endOrphans
	case err != nil:
		return hosts.Outcome{}, err
	default:
		if len(pods) > 0 {
			found = append(found, fmt.Sprintf("%d sandboxes and containers", len(pods)))
		}
		stop = func(ctx context.Context) error {
			return h.containerd.StopPods(ctx, func(note string) { report(hosts.Progress{Note: note}) })
		}
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
		},
	})
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
