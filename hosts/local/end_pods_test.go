//go:build linux

package local

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// fakeCRI is a CRI of a few Pods, which notes what it was asked to do.
type fakeCRI struct {
	cri.UnimplementedRuntimeServiceServer
	sandboxes  []*cri.PodSandbox
	containers []*cri.Container

	mu    sync.Mutex
	calls []string
}

func (r *fakeCRI) note(call string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls = append(r.calls, call)
}

func (r *fakeCRI) ListPodSandbox(context.Context, *cri.ListPodSandboxRequest) (*cri.ListPodSandboxResponse, error) {
	return &cri.ListPodSandboxResponse{Items: r.sandboxes}, nil
}

func (r *fakeCRI) ListContainers(_ context.Context, request *cri.ListContainersRequest) (*cri.ListContainersResponse, error) {
	return &cri.ListContainersResponse{Containers: slices.DeleteFunc(slices.Clone(r.containers), func(c *cri.Container) bool {
		return c.PodSandboxId != request.Filter.GetPodSandboxId()
	})}, nil
}

func (r *fakeCRI) StopContainer(_ context.Context, request *cri.StopContainerRequest) (*cri.StopContainerResponse, error) {
	r.note("end " + request.ContainerId + " within " + (time.Duration(request.Timeout) * time.Second).String())
	return nil, status.Error(codes.NotFound, "the kubelet was there first")
}

func (r *fakeCRI) StopPodSandbox(_ context.Context, request *cri.StopPodSandboxRequest) (*cri.StopPodSandboxResponse, error) {
	r.note("stop " + request.PodSandboxId)
	return &cri.StopPodSandboxResponse{}, nil
}

func (r *fakeCRI) RemovePodSandbox(_ context.Context, request *cri.RemovePodSandboxRequest) (*cri.RemovePodSandboxResponse, error) {
	r.note("remove " + request.PodSandboxId)
	if request.PodSandboxId == "stuck" {
		return nil, status.Error(codes.Internal, "its network does not go")
	}
	return &cri.RemovePodSandboxResponse{}, nil
}

// serve offers it at a socket, until the test ends.
func (r *fakeCRI) serve(t *testing.T) string {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "cri.sock")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	cri.RegisterRuntimeServiceServer(server, r)
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
	return socket
}

func sandbox(id, namespace, name string, ready bool) *cri.PodSandbox {
	state := cri.PodSandboxState_SANDBOX_NOTREADY
	if ready {
		state = cri.PodSandboxState_SANDBOX_READY
	}
	return &cri.PodSandbox{Id: id, State: state, Metadata: &cri.PodSandboxMetadata{Namespace: namespace, Name: name}}
}

func container(id, sandbox string, running bool) *cri.Container {
	state := cri.ContainerState_CONTAINER_EXITED
	if running {
		state = cri.ContainerState_CONTAINER_RUNNING
	}
	return &cri.Container{Id: id, PodSandboxId: sandbox, State: state, Metadata: &cri.ContainerMetadata{Name: id}}
}

func TestPodsEndAsAKubeletEndsThem(t *testing.T) {
	r := &fakeCRI{
		sandboxes: []*cri.PodSandbox{
			sandbox("api", "kube-system", "kube-apiserver-cp-1", true),
			sandbox("older", "kube-system", "kube-apiserver-cp-1", false),
			sandbox("etcd", "kube-system", "etcd-cp-1", true),
			sandbox("gone", "kube-system", "kube-scheduler-cp-1", false),
			sandbox("theirs", "default", "kube-apiserver-cp-1", true),
		},
		containers: []*cri.Container{container("server", "api", true), container("before", "api", false), container("db", "etcd", true)},
	}
	d := newDaemon(r.serve(t))
	defer d.Close()
	names := []string{"kube-apiserver-cp-1", "kube-scheduler-cp-1", "nobody"}
	running, err := d.Running(t.Context(), names)
	if diff := cmp.Diff([]string{"kube-apiserver-cp-1"}, running); diff != "" || err != nil {
		t.Fatalf("running are, %v (-want +got):\n%s", err, diff)
	}
	if err := d.EndPods(t.Context(), running, 30*time.Second, func(string) {}); err != nil {
		t.Fatal(err)
	}
	var api []string
	for _, call := range r.calls {
		if !strings.Contains(call, "older") {
			api = append(api, call)
		}
	}
	if diff := cmp.Diff([]string{"end server within 30s", "stop api", "remove api"}, api); diff != "" {
		t.Errorf("done was (-want +got):\n%s", diff)
	}
	if !slices.Contains(r.calls, "remove older") {
		t.Errorf("what was left of an earlier attempt stays: %v", r.calls)
	}
}

// TestAPodIsEndedWhole: an interrupt leaves none that was told to end and is not ended.
func TestAPodIsEndedWhole(t *testing.T) {
	r := &fakeCRI{
		sandboxes:  []*cri.PodSandbox{sandbox("api", "kube-system", "kube-apiserver-cp-1", true)},
		containers: []*cri.Container{container("server", "api", true)},
	}
	d := newDaemon(r.serve(t))
	defer d.Close()
	ctx, cancel := context.WithCancel(t.Context())
	if err := d.EndPods(ctx, []string{"kube-apiserver-cp-1"}, 30*time.Second, func(string) { cancel() }); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"end server within 30s", "stop api", "remove api"}, r.calls); diff != "" {
		t.Errorf("done was (-want +got):\n%s", diff)
	}
}

func TestPodThatDoesNotEndIsAnError(t *testing.T) {
	r := &fakeCRI{sandboxes: []*cri.PodSandbox{sandbox("stuck", "kube-system", "etcd-cp-1", true)}}
	d := newDaemon(r.serve(t))
	defer d.Close()
	err := d.EndPods(t.Context(), []string{"etcd-cp-1"}, time.Second, func(string) {})
	if err == nil || !strings.Contains(err.Error(), "kube-system/etcd-cp-1") || !strings.Contains(err.Error(), "its network does not go") {
		t.Errorf("the error is %v", err)
	}
}

func TestNoPodRunsThroughAContainerdThatIsAway(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "none.sock")
	for range 2 { // without a socket, then with one that nobody listens at
		d := newDaemon(socket)
		if _, err := d.Running(t.Context(), []string{"etcd-cp-1"}); !errors.Is(err, errNoContainerd) {
			t.Errorf("asking is %v", err)
		}
		d.Close()
		if err := os.WriteFile(socket, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
