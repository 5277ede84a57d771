//go:build linux

package local

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"github.com/containerd/containerd/v2/client"
	"github.com/containerd/errdefs"
	"golang.org/x/sync/errgroup"
	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
)

const (
	// podTimeout bounds stopping one Pod through CRI, its CNI plugins' DEL included.
	podTimeout = 20 * time.Second
	// podsAtOnce bounds how many are stopped at the same time.
	podsAtOnce = 8
	// podRounds is how often Pods are looked for again: a kubelet that runs makes new ones.
	podRounds = 3
)

func (d *daemon) Pods(ctx context.Context) ([]string, error) {
	c, _, err := d.connect()
	if err != nil {
		return nil, err
	}
	containers, err := c.ContainerService().List(inKubernetes(ctx))
	if notRunning(err) {
		return nil, errNoContainerd
	}
	if err != nil {
		return nil, fmt.Errorf("list containers: %w", err)
	}
	names := make([]string, 0, len(containers))
	for _, container := range containers {
		names = append(names, container.ID)
	}
	return names, nil
}

// StopPods stops Pods through CRI, which tells their CNI plugins, and takes away directly
// what that has left.
func (d *daemon) StopPods(ctx context.Context, grace time.Duration, note func(string)) error {
	c, conn, err := d.connect()
	if err != nil {
		return err
	}
	ctx = inKubernetes(ctx)
	runtime := cri.NewRuntimeServiceClient(conn)
	var problems error
	for range podRounds {
		problems = errors.Join(stopSandboxes(ctx, runtime, grace, note), removeContainers(ctx, c, note))
		left, err := d.Pods(ctx)
		if err != nil {
			return err
		}
		if len(left) == 0 {
			return nil
		}
		if ctx.Err() != nil {
			break
		}
		problems = errors.Join(problems, fmt.Errorf("%d sandboxes and containers are left: %v", len(left), left))
	}
	return errors.Join(ctx.Err(), problems)
}

// stopSandboxes stops and removes every Pod sandbox through CRI, and before it its containers where
// they have time to end: a sandbox's own end kills them.
func stopSandboxes(ctx context.Context, runtime cri.RuntimeServiceClient, grace time.Duration, note func(string)) error {
	answer, err := runtime.ListPodSandbox(ctx, &cri.ListPodSandboxRequest{})
	if err != nil {
		return fmt.Errorf("list Pods: %w", err)
	}
	var group errgroup.Group
	group.SetLimit(podsAtOnce)
	for _, sandbox := range answer.Items {
		name := sandbox.GetMetadata().GetNamespace() + "/" + sandbox.GetMetadata().GetName()
		group.Go(caught(func() error {
			ctx, cancel := context.WithTimeout(ctx, grace+podTimeout)
			defer cancel()
			note(name)
			if grace > 0 {
				if err := endContainers(ctx, runtime, sandbox.Id, grace); err != nil {
					return fmt.Errorf("stop Pod %s: %w", name, err)
				}
			}
			return removeSandbox(ctx, runtime, sandbox.Id, name)
		}))
	}
	return group.Wait()
}

// removeContainers kills and removes every container directly.
func removeContainers(ctx context.Context, c *client.Client, note func(string)) error {
	containers, err := c.Containers(ctx)
	if err != nil {
		return fmt.Errorf("list containers: %w", err)
	}
	var problems error
	for _, container := range containers {
		ctx, cancel := context.WithTimeout(ctx, podTimeout)
		note(container.ID())
		if err := removeContainer(ctx, container); err != nil && !errdefs.IsNotFound(err) {
			problems = errors.Join(problems, fmt.Errorf("remove container %s: %w", container.ID(), err))
		}
		cancel()
	}
	return problems
}

func removeContainer(ctx context.Context, container client.Container) error {
	task, err := container.Task(ctx, nil)
	if err == nil {
		if err := task.Kill(ctx, syscall.SIGKILL, client.WithKillAll); err != nil && !errdefs.IsNotFound(err) {
			return fmt.Errorf("kill: %w", err)
		}
		if _, err := task.Delete(ctx, client.WithProcessKill); err != nil && !errdefs.IsNotFound(err) {
			return fmt.Errorf("delete the task: %w", err)
		}
	} else if !errdefs.IsNotFound(err) {
		return fmt.Errorf("find the task: %w", err)
	}
	return container.Delete(ctx, client.WithSnapshotCleanup)
}

// Containers asks CRI for every container and its status.
func (d *daemon) Containers(ctx context.Context) ([]Container, error) {
	_, conn, err := d.connect()
	if err != nil {
		return nil, err
	}
	runtime := cri.NewRuntimeServiceClient(conn)
	answer, err := runtime.ListContainers(ctx, &cri.ListContainersRequest{})
	if err != nil {
		return nil, fmt.Errorf("list containers: %w", err)
	}
	var all []Container
	var ids []string
	for _, c := range answer.Containers {
		one := Container{
			Pod:  c.Labels["io.kubernetes.pod.namespace"] + "/" + c.Labels["io.kubernetes.pod.name"],
			Name: c.GetMetadata().GetName(), Attempt: c.GetMetadata().GetAttempt(),
			Running: c.State == cri.ContainerState_CONTAINER_RUNNING,
		}
		status, err := runtime.ContainerStatus(ctx, &cri.ContainerStatusRequest{ContainerId: c.Id})
		if err != nil {
			continue // it went away in between
		}
		one.ExitCode, one.Reason, one.Log = status.Status.ExitCode, status.Status.Reason, status.Status.LogPath
		one.Created, one.Started, one.Finished = moment(status.Status.CreatedAt), moment(status.Status.StartedAt), moment(status.Status.FinishedAt)
		all, ids = append(all, one), append(ids, c.Id)
	}
	used := processorTime(ctx, runtime) // last: the rest says more
	for i, id := range ids {
		all[i].CPU = used[id]
	}
	return all, nil
}

// moment is a time as CRI has it, in nanoseconds; 0 is none.
func moment(nanoseconds int64) time.Time {
	if nanoseconds <= 0 {
		return time.Time{}
	}
	return time.Unix(0, nanoseconds)
}

// processorTime is what running containers have used, by their ids. A runtime that does not count it says
// nothing.
func processorTime(ctx context.Context, runtime cri.RuntimeServiceClient) map[string]time.Duration {
	used := map[string]time.Duration{}
	answer, err := runtime.ListContainerStats(ctx, &cri.ListContainerStatsRequest{})
	if err != nil {
		return used
	}
	for _, one := range answer.Stats {
		used[one.GetAttributes().GetId()] = time.Duration(one.GetCpu().GetUsageCoreNanoSeconds().GetValue())
	}
	return used
}

// Fetched asks for what containerd is taking in.
func (d *daemon) Fetched(ctx context.Context) (int64, error) {
	c, _, err := d.connect()
	if err != nil {
		return 0, err
	}
	ingests, err := c.ContentStore().ListStatuses(inKubernetes(ctx))
	if err != nil {
		return 0, fmt.Errorf("list what is being fetched: %w", err)
	}
	var bytes int64
	for _, one := range ingests {
		bytes += one.Offset
	}
	return bytes, nil
}
