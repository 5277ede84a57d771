//go:build linux

package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/containerd/v2/core/images"
	"github.com/containerd/containerd/v2/pkg/namespaces"
	"github.com/containerd/errdefs"
	"github.com/containerd/platforms"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	cri "k8s.io/cri-api/pkg/apis/runtime/v1"

	"github.com/slipway-k8s/slipway/hosts"
)

const (
	containerdSocket = "/run/containerd/containerd.sock"
	// kubernetesNamespace is where containerd's CRI plugin keeps all that is Kubernetes'.
	kubernetesNamespace = "k8s.io"
	// criTimeout is how long the CRI plugin may take to see an image that was loaded.
	criTimeout  = 5 * time.Second
	messageSize = 16 << 20
)

const pinnedLabel = "io.cri-containerd.pinned"

// imageLabels make an image the CRI plugin's, and keep the kubelet's garbage collection
// off it.
var imageLabels = map[string]string{
	"io.cri-containerd.image": "managed",
	pinnedLabel:               "pinned",
}

// daemon is containerd at its socket: its own API, and CRI over the same connection.
type daemon struct {
	socket string

	mu          sync.Mutex
	conn        *grpc.ClientConn
	client      *client.Client
	snapshotter string
}

func newDaemon(socket string) *daemon { return &daemon{socket: socket} }

// connect opens the connection once, and again after containerd was away: a connection
// that failed would wait before it tries again.
func (d *daemon) connect() (*client.Client, *grpc.ClientConn, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.client != nil && d.conn.GetState() != connectivity.TransientFailure {
		return d.client, d.conn, nil
	}
	d.drop()
	if _, err := os.Stat(d.socket); err != nil {
		return nil, nil, errNoContainerd
	}
	conn, err := grpc.NewClient("unix:"+d.socket,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithChainUnaryInterceptor(callContainerd), grpc.WithChainStreamInterceptor(streamContainerd),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(messageSize), grpc.MaxCallSendMsgSize(messageSize)))
	if err != nil {
		return nil, nil, fmt.Errorf("connect to containerd: %w", err)
	}
	c, err := client.NewWithConn(conn)
	if err != nil {
		conn.Close()
		return nil, nil, fmt.Errorf("connect to containerd: %w", err)
	}
	d.conn, d.client = conn, c
	return c, conn, nil
}

// drop closes the connection; the lock is held.
func (d *daemon) drop() {
	if d.conn != nil {
		d.conn.Close()
	}
	d.conn, d.client, d.snapshotter = nil, nil, ""
}

func (d *daemon) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.drop()
	return nil
}

// notRunning tells whether a call failed because nobody listens at the socket.
func notRunning(err error) bool { return errdefs.IsUnavailable(err) }

// isCode tells what a call of CRI failed with; containerd's own client has errors of its own.
func isCode(err error, code codes.Code) bool { return err != nil && status.Code(err) == code }

func inKubernetes(ctx context.Context) context.Context {
	return namespaces.WithNamespace(ctx, kubernetesNamespace)
}

// snapshotterName is the one that the CRI plugin unpacks images into, which it shows in
// the path of its image file system.
func (d *daemon) snapshotterName(ctx context.Context, conn *grpc.ClientConn) string {
	d.mu.Lock()
	known := d.snapshotter
	d.mu.Unlock()
	if known != "" {
		return known
	}
	name := "overlayfs"
	answer, err := cri.NewImageServiceClient(conn).ImageFsInfo(ctx, &cri.ImageFsInfoRequest{})
	if err != nil {
		return name
	}
	for _, fs := range answer.ImageFilesystems {
		if _, found, ok := strings.Cut(fs.GetFsId().GetMountpoint(), "io.containerd.snapshotter.v1."); ok {
			name = found
		}
	}
	d.mu.Lock()
	d.snapshotter = name
	d.mu.Unlock()
	return name
}

func (d *daemon) Images(ctx context.Context, references []string) (map[string]string, error) {
	c, conn, err := d.connect()
	if errors.Is(err, errNoContainerd) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	ctx = inKubernetes(ctx)
	found := map[string]string{}
	snapshotter := d.snapshotterName(ctx, conn)
	for _, reference := range references {
		image, err := c.ImageService().Get(ctx, reference)
		if errdefs.IsNotFound(err) {
			continue
		}
		if notRunning(err) {
			return nil, nil
		}
		if err != nil {
			return nil, fmt.Errorf("look for image %s: %w", reference, err)
		}
		complete, err := isComplete(ctx, c, image, snapshotter)
		if err != nil {
			return nil, fmt.Errorf("look at image %s: %w", reference, err)
		}
		if complete {
			found[reference] = image.Target.Digest.String()
		}
	}
	return found, nil
}

// isComplete tells whether an image is all there: labels, content and snapshot.
func isComplete(ctx context.Context, c *client.Client, image images.Image, snapshotter string) (bool, error) {
	for key, value := range imageLabels {
		if image.Labels[key] != value {
			return false, nil
		}
	}
	available, _, _, missing, err := images.Check(ctx, c.ContentStore(), image.Target, platforms.Default())
	if err != nil || !available || len(missing) > 0 {
		return false, err
	}
	return client.NewImageWithPlatform(c, image, platforms.Default()).IsUnpacked(ctx, snapshotter)
}

func (d *daemon) Load(ctx context.Context, image hosts.LoadImage, open func(string) (io.ReadCloser, error), counted func(int64)) error {
	c, conn, err := d.connect()
	if err != nil {
		return err
	}
	ctx = inKubernetes(ctx)
	snapshotter := d.snapshotterName(ctx, conn)
	// The lease keeps containerd's garbage collection off until the image holds its blobs.
	ctx, done, err := c.WithLease(ctx)
	if err != nil {
		return fmt.Errorf("take a lease of containerd: %w", err)
	}
	defer func() { _ = done(context.WithoutCancel(ctx)) }() // it expires by itself
	for _, blob := range append(append([]hosts.ImageBlob(nil), image.Blobs...), image.Manifest) {
		if err := ingest(ctx, c.ContentStore(), blob, open, counted); err != nil {
			return fmt.Errorf("put blob %s into containerd: %w", blob.Digest, err)
		}
	}
	target := descriptor(image.Manifest)
	children := images.SetChildrenLabels(c.ContentStore(), images.ChildrenHandler(c.ContentStore()))
	if err := images.Walk(ctx, children, target); err != nil {
		return fmt.Errorf("tie the blobs together: %w", err)
	}
	entry := images.Image{Name: image.Reference, Target: target, Labels: imageLabels}
	stop := whileUnpacking(ctx, d.written)
	err = client.NewImageWithPlatform(c, entry, platforms.Default()).Unpack(ctx, snapshotter)
	if err := errors.Join(err, stop()); err != nil {
		return fmt.Errorf("unpack into %s: %w", snapshotter, err)
	}
	// The name comes last: an image that has one is complete.
	if err := nameImage(ctx, c.ImageService(), entry); err != nil {
		return fmt.Errorf("name the image: %w", err)
	}
	return awaitImage(ctx, cri.NewImageServiceClient(conn), image.Reference)
}

func descriptor(blob hosts.ImageBlob) ocispec.Descriptor {
	return ocispec.Descriptor{MediaType: blob.MediaType, Digest: digest.Digest(blob.Digest), Size: blob.Size}
}

// ingest copies a blob into the content store, unless it is there.
func ingest(ctx context.Context, store content.Store, blob hosts.ImageBlob, open func(string) (io.ReadCloser, error), counted func(int64)) error {
	_, err := store.Info(ctx, digest.Digest(blob.Digest))
	if err == nil {
		counted(blob.Size)
		return nil
	}
	if !errdefs.IsNotFound(err) {
		return err
	}
	source, err := open(blob.Digest)
	if err != nil {
		return err
	}
	defer source.Close()
	reader := &countingReader{reader: hosts.ContextReader{Context: ctx, In: source}, counted: counted}
	return content.WriteBlob(ctx, store, "slipway-"+blob.Digest, reader, descriptor(blob))
}

type countingReader struct {
	reader  io.Reader
	counted func(int64)
}

func (r *countingReader) Read(p []byte) (int, error) {
	n, err := r.reader.Read(p)
	if n > 0 {
		r.counted(int64(n))
	}
	return n, err
}

func nameImage(ctx context.Context, store images.Store, entry images.Image) error {
	_, err := store.Create(ctx, entry)
	if errdefs.IsAlreadyExists(err) {
		_, err = store.Update(ctx, entry, "target", "labels")
	}
	return err
}

func (d *daemon) Name(ctx context.Context, reference, name string) error {
	c, conn, err := d.connect()
	if err != nil {
		return err
	}
	ctx = inKubernetes(ctx)
	image, err := c.ImageService().Get(ctx, reference)
	if err != nil {
		return fmt.Errorf("look for image %s: %w", reference, err)
	}
	if err := nameImage(ctx, c.ImageService(), images.Image{Name: name, Target: image.Target, Labels: imageLabels}); err != nil {
		return fmt.Errorf("name image %s %s: %w", reference, name, err)
	}
	return awaitImage(ctx, cri.NewImageServiceClient(conn), name)
}

// ImageInUse looks at all containers, as the kubelet's image garbage collection does, sandboxes
// among them. Which of its names an image has in a container, the CRI plugin chooses.
func (d *daemon) ImageInUse(ctx context.Context, reference string) (bool, error) {
	c, _, err := d.connect()
	if err != nil {
		return false, err
	}
	ctx = inKubernetes(ctx)
	image, err := c.ImageService().Get(ctx, reference)
	if err != nil {
		return false, fmt.Errorf("look for image %s: %w", reference, err)
	}
	containers, err := c.ContainerService().List(ctx)
	if err != nil {
		return false, fmt.Errorf("list containers: %w", err)
	}
	for _, container := range containers {
		if container.Image == "" {
			continue // somebody's that was made of no image
		}
		other, err := c.ImageService().Get(ctx, container.Image)
		if err == nil && other.Target.Digest == image.Target.Digest {
			return true, nil
		}
		if err != nil && !errdefs.IsNotFound(err) {
			return false, fmt.Errorf("look for image %s: %w", container.Image, err)
		}
	}
	return false, nil
}

func (d *daemon) Unpin(ctx context.Context, reference string) error {
	c, _, err := d.connect()
	if err != nil {
		return err
	}
	// containerd drops a label whose value is empty.
	entry := images.Image{Name: reference, Labels: map[string]string{pinnedLabel: ""}}
	if _, err := c.ImageService().Update(inKubernetes(ctx), entry, "labels."+pinnedLabel); err != nil {
		return fmt.Errorf("unpin image %s: %w", reference, err)
	}
	return nil
}

func (d *daemon) Unload(ctx context.Context, reference, manifest string) error {
	c, _, err := d.connect()
	if err != nil {
		return err
	}
	// Without the synchronous garbage collection its blobs stay until much else has changed.
	err = c.ImageService().Delete(inKubernetes(ctx), reference, images.SynchronousDelete(),
		images.DeleteTarget(&ocispec.Descriptor{Digest: digest.Digest(manifest)}))
	if err != nil && !errdefs.IsNotFound(err) {
		return fmt.Errorf("remove image %s: %w", reference, err)
	}
	return nil
}

// awaitImage waits until the CRI plugin shows the image: it hears of it by an event, and
// a kubelet that asked before would pull and back off.
func awaitImage(ctx context.Context, service cri.ImageServiceClient, reference string) error {
	ctx, cancel := context.WithTimeout(ctx, criTimeout)
	defer cancel()
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for {
		answer, err := service.ImageStatus(ctx, &cri.ImageStatusRequest{Image: &cri.ImageSpec{Image: reference}})
		if isCode(err, codes.Unimplemented) {
			return nil // a containerd without CRI
		}
		if err == nil && answer.Image != nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("containerd's CRI plugin does not show the image: %w", errors.Join(ctx.Err(), err))
		case <-ticker.C:
		}
	}
}
