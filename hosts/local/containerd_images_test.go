//go:build linux

package local

import (
	"context"
	"net"
	"path/filepath"
	"slices"
	"testing"

	containersapi "github.com/containerd/containerd/api/services/containers/v1"
	imagesapi "github.com/containerd/containerd/api/services/images/v1"
	"github.com/containerd/containerd/api/types"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
)

// fakeImages is containerd's service of images. Their labels are those of the last update.
type fakeImages struct {
	imagesapi.UnimplementedImagesServer
	digests map[string]string
	updated *imagesapi.UpdateImageRequest
	sync    bool // the last image was deleted so
}

func (f *fakeImages) Get(_ context.Context, request *imagesapi.GetImageRequest) (*imagesapi.GetImageResponse, error) {
	digest, there := f.digests[request.Name]
	if !there {
		return nil, status.Error(codes.NotFound, "not there")
	}
	return &imagesapi.GetImageResponse{Image: &imagesapi.Image{Name: request.Name, Target: &types.Descriptor{Digest: digest}}}, nil
}

func (f *fakeImages) Update(_ context.Context, request *imagesapi.UpdateImageRequest) (*imagesapi.UpdateImageResponse, error) {
	f.updated = request
	return &imagesapi.UpdateImageResponse{Image: request.Image}, nil
}

func (f *fakeImages) Delete(_ context.Context, request *imagesapi.DeleteImageRequest) (*emptypb.Empty, error) {
	if target := request.Target; target == nil || f.digests[request.Name] == target.Digest {
		delete(f.digests, request.Name)
		f.sync = request.Sync
		return &emptypb.Empty{}, nil
	}
	return nil, status.Error(codes.NotFound, "it has another target")
}

// fakeContainers is containerd's service of containers, one of each image.
type fakeContainers struct {
	containersapi.UnimplementedContainersServer
	images []string
}

func (f *fakeContainers) ListStream(_ *containersapi.ListContainersRequest, stream containersapi.Containers_ListStreamServer) error {
	for _, image := range f.images {
		if err := stream.Send(&containersapi.ListContainerMessage{Container: &containersapi.Container{ID: "of " + image, Image: image}}); err != nil {
			return err
		}
	}
	return nil
}

func serveImages(t *testing.T, images *fakeImages, containers *fakeContainers) *daemon {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "c.sock")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	imagesapi.RegisterImagesServer(server, images)
	containersapi.RegisterContainersServer(server, containers)
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
	d := newDaemon(socket)
	t.Cleanup(func() { _ = d.Close() })
	return d
}

// TestAnImageIsInUseByAnyOfItsNames: the CRI plugin makes a container of whichever name comes first.
func TestAnImageIsInUseByAnyOfItsNames(t *testing.T) {
	for name, test := range map[string]struct {
		containers []string
		used       bool
	}{
		"by its name":               {[]string{"other:1", "app:1"}, true},
		"by its digest":             {[]string{"app@sha256:a"}, true},
		"another image":             {[]string{"other:1"}, false},
		"one that is not there now": {[]string{"gone:1"}, false},
		"of no image":               {[]string{""}, false},
		"no containers":             {nil, false},
	} {
		images := &fakeImages{digests: map[string]string{"app:1": "sha256:a", "app@sha256:a": "sha256:a", "other:1": "sha256:b"}}
		d := serveImages(t, images, &fakeContainers{images: test.containers})
		if used, err := d.ImageInUse(t.Context(), "app:1"); used != test.used || err != nil {
			t.Errorf("%s: that it is in use is %v: %v", name, used, err)
		}
	}
}

// TestAnImageIsUnloadedWhileItIsTheOneThatIsMeant, with all that was unpacked of it.
func TestAnImageIsUnloadedWhileItIsTheOneThatIsMeant(t *testing.T) {
	const app, other = "app:1", "other:1"
	meant, another := "sha256:a", "sha256:b"
	images := &fakeImages{digests: map[string]string{app: meant, other: another}}
	d := serveImages(t, images, &fakeContainers{})
	if err := d.Unload(t.Context(), app, meant); err != nil || images.digests[app] != "" || !images.sync {
		t.Errorf("%v; there are %v, that it waited for the garbage collection is %v", err, images.digests, images.sync)
	}
	if err := d.Unload(t.Context(), other, meant); err != nil || images.digests[other] == "" {
		t.Errorf("another one: %v; there are %v", err, images.digests)
	}
	if err := d.Unload(t.Context(), "gone:1", meant); err != nil {
		t.Errorf("one that is gone: %v", err)
	}
}

// TestUnpinningTakesOneLabelOnly: without the others the kubelet would not know the image any more.
func TestUnpinningTakesOneLabelOnly(t *testing.T) {
	images := &fakeImages{}
	d := serveImages(t, images, &fakeContainers{})
	if err := d.Unpin(t.Context(), "app:1"); err != nil {
		t.Fatal(err)
	}
	if paths := images.updated.GetUpdateMask().GetPaths(); !slices.Equal(paths, []string{"labels." + pinnedLabel}) ||
		images.updated.Image.Name != "app:1" || images.updated.Image.Labels[pinnedLabel] != "" {
		t.Errorf("it is updated by %v", images.updated)
	}
}
