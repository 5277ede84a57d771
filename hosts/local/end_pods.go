//go:build linux

package local

import (
	"context"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc/codes"
	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
)

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
		group.Go(func() error {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace+podTimeout)
			defer cancel()
			name := sandbox.GetMetadata().GetNamespace() + "/" + sandbox.GetMetadata().GetName()
			note(name)
			if err := endContainers(ctx, runtime, sandbox.Id, grace); err != nil {
				return fmt.Errorf("stop Pod %s: %w", name, err)
			}
			return removeSandbox(ctx, runtime, sandbox.Id, name)
		})
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
		group.Go(func() error {
			_, err := runtime.StopContainer(ctx, &cri.StopContainerRequest{
				ContainerId: container.Id, Timeout: int64(grace / time.Second),
			})
			if err != nil && !isCode(err, codes.NotFound) {
				return fmt.Errorf("stop container %s: %w", container.GetMetadata().GetName(), err)
			}
			return nil
		})
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
