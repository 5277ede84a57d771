//go:build linux

package local

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc/codes"
	cri "k8s.io/cri-api/pkg/apis/runtime/v1"

	"github.com/slipway-k8s/slipway/hosts"
)

// stopPods stops and removes every Pod, container and task, and the control groups that
// they were in: through containerd or, where that does not run, by ending what it has left.
func (h *Host) stopPods(ctx context.Context, a hosts.StopPods, report func(hosts.Progress)) (hosts.Outcome, error) {
	if len(a.Only) > 0 {
		return h.endPods(ctx, a, report)
	}
	found, stop, err := h.findPods(ctx, time.Duration(a.Grace)*time.Second, report)
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
func (h *Host) findPods(ctx context.Context, grace time.Duration, report func(hosts.Progress)) (found []string, stop func(context.Context) error, err error) {
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
		return h.containerd.StopPods(ctx, grace, func(note string) { report(hosts.Progress{Note: note}) })
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

// systemNamespace is where static Pods of the control plane live.
const systemNamespace = "kube-system"

// Running asks CRI for the Pods: one runs while its sandbox does.
func (d *daemon) Running(ctx context.Context, names []string) ([]string, error) {
	_, conn, err := d.connect()
	if err != nil {
		return nil, err
	}
	sandboxes, err := sandboxesOf(ctx, cri.NewRuntimeServiceClient(conn), names)
	if isCode(err, codes.Unavailable) {
		return nil, errNoContainerd
	}
	if err != nil {
		return nil, err
	}
	var running []string
	for _, sandbox := range sandboxes {
		if sandbox.State == cri.PodSandboxState_SANDBOX_READY {
			running = addOnce(running, sandbox.GetMetadata().GetName())
		}
	}
	slices.Sort(running)
	return running, nil
}

// EndPods ends the Pods as a kubelet does: their containers first, then the sandboxes. A kubelet
// may do the same meanwhile. A Pod that it has begun with is ended even if ctx is done: else a
// container that was asked to end, such as an API server, may take a minute in which it serves
// no requests.
func (d *daemon) EndPods(ctx context.Context, names []string, grace time.Duration, note func(string)) error {
	_, conn, err := d.connect()
	if err != nil {
		return err
	}
	runtime := cri.NewRuntimeServiceClient(conn)
	sandboxes, err := sandboxesOf(ctx, runtime, names)
	if err != nil {
		return err
	}
	var group errgroup.Group
	for _, sandbox := range sandboxes {
		group.Go(caught(func() error {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace+podTimeout)
			defer cancel()
			name := sandbox.GetMetadata().GetNamespace() + "/" + sandbox.GetMetadata().GetName()
			note(name)
			if err := endContainers(ctx, runtime, sandbox.Id, grace); err != nil {
				return fmt.Errorf("stop Pod %s: %w", name, err)
			}
			return removeSandbox(ctx, runtime, sandbox.Id, name)
		}))
	}
	return group.Wait()
}

// endContainers asks every container of a sandbox to end, all at once.
func endContainers(ctx context.Context, runtime cri.RuntimeServiceClient, sandbox string, grace time.Duration) error {
	answer, err := runtime.ListContainers(ctx, &cri.ListContainersRequest{Filter: &cri.ContainerFilter{PodSandboxId: sandbox}})
	if err != nil {
		return fmt.Errorf("list its containers: %w", err)
	}
	var group errgroup.Group
	for _, container := range answer.Containers {
		if container.State != cri.ContainerState_CONTAINER_RUNNING {
			continue
		}
		group.Go(caught(func() error {
			_, err := runtime.StopContainer(ctx, &cri.StopContainerRequest{
				ContainerId: container.Id, Timeout: int64(grace / time.Second),
			})
			if err != nil && !isCode(err, codes.NotFound) {
				return fmt.Errorf("stop container %s: %w", container.GetMetadata().GetName(), err)
			}
			return nil
		}))
	}
	return group.Wait()
}

// removeSandbox stops and removes a sandbox, its network and what is left of its containers.
func removeSandbox(ctx context.Context, runtime cri.RuntimeServiceClient, id, name string) error {
	_, err := runtime.StopPodSandbox(ctx, &cri.StopPodSandboxRequest{PodSandboxId: id})
	if err != nil && !isCode(err, codes.NotFound) {
		return fmt.Errorf("stop Pod %s: %w", name, err)
	}
	_, err = runtime.RemovePodSandbox(ctx, &cri.RemovePodSandboxRequest{PodSandboxId: id})
	if err != nil && !isCode(err, codes.NotFound) {
		return fmt.Errorf("remove Pod %s: %w", name, err)
	}
	return nil
}

// sandboxesOf lists the sandboxes of the Pods of kube-system that are named, ended ones too.
func sandboxesOf(ctx context.Context, runtime cri.RuntimeServiceClient, names []string) ([]*cri.PodSandbox, error) {
	answer, err := runtime.ListPodSandbox(ctx, &cri.ListPodSandboxRequest{})
	if err != nil {
		return nil, fmt.Errorf("list Pods: %w", err)
	}
	return slices.DeleteFunc(answer.Items, func(sandbox *cri.PodSandbox) bool {
		metadata := sandbox.GetMetadata()
		return metadata.GetNamespace() != systemNamespace || !slices.Contains(names, metadata.GetName())
	}), nil
}
