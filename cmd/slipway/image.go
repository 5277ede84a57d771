package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/spf13/cobra"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases"
	"github.com/slipway-k8s/slipway/phases/plan"
)

func newImageCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "image",
		Short: "The images on the hosts",
	}
	command.AddCommand(newImageLoadCommand())
	return command
}

func newImageLoadCommand() *cobra.Command {
	var flags changeFlags
	command := &cobra.Command{
		Use:   "load -f FILE ARCHIVE...",
		Short: "Put your own images onto all hosts, without a registry",
		Long: `Read images from archives as 'docker save' or 'podman save' write them, and put them into
containerd on every host of the cluster file, pinned against image garbage collection.
Use imagePullPolicy IfNotPresent or Never.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(command *cobra.Command, archives []string) error {
			flags.yes = true // adding an image takes nothing away
			return loadImages(command.Context(), flags, archives)
		},
	}
	flags.clusterFlags.add(command)
	command.Flags().StringVarP(&flags.output, "output", "o", formatText, "format: text, or json for one event per step")
	return command
}

func loadImages(ctx context.Context, flags changeFlags, archives []string) error {
	if err := flags.check(); err != nil {
		return err
	}
	images, err := readImages(archives)
	if err != nil {
		return err
	}
	defer images.remove()
	s, err := load(flags.clusterFlags)
	if err != nil {
		return err
	}
	defer s.Close()
	s.images = images
	return s.change(ctx, flags, planner{
		workflow: "image load",
		hosts:    func(c *cluster.Cluster) []cluster.Host { return c.Nodes() },
		query:    func(cluster.Host) hosts.Query { return phases.ImageQuery(images.actions) },
		plan: func(in phases.Input) (plan.Plan, plan.Contents, error) {
			return phases.Images(in, images.actions)
		},
	})
}

// imageSet is the images of some archives: what a host is asked to load, and the blobs.
// Layers are written once to a private folder, since an archive holds them in any order.
type imageSet struct {
	folder  string
	actions []hosts.LoadImage
	blobs   map[string]hosts.Blob
}

func readImages(archives []string) (*imageSet, error) {
	folder, err := os.MkdirTemp("", "slipway-images-*")
	if err != nil {
		return nil, fmt.Errorf("make a folder for images: %w", err)
	}
	set := &imageSet{folder: folder, blobs: map[string]hosts.Blob{}}
	for _, archive := range archives {
		if err := set.read(archive); err != nil {
			set.remove()
			return nil, fmt.Errorf("read the image archive %s: %w", archive, err)
		}
	}
	return set, nil
}

func (set *imageSet) remove() { _ = os.RemoveAll(set.folder) }

func (set *imageSet) read(archive string) error {
	opener := func() (io.ReadCloser, error) { return os.Open(archive) }
	manifest, err := tarball.LoadManifest(opener)
	if err != nil {
		return err
	}
	for _, descriptor := range manifest {
		if len(descriptor.RepoTags) == 0 {
			return fmt.Errorf("an image in it has no name: save it by name and tag")
		}
		for _, text := range descriptor.RepoTags {
			tag, err := name.NewTag(text)
			if err != nil {
				return err
			}
			image, err := tarball.Image(opener, &tag)
			if err != nil {
				return err
			}
			if err := set.add(tag.Name(), image); err != nil {
				return err
			}
		}
	}
	return nil
}

func (set *imageSet) add(reference string, image v1.Image) error {
	raw, err := image.RawManifest()
	if err != nil {
		return err
	}
	manifest, err := image.Manifest()
	if err != nil {
		return err
	}
	digest, err := image.Digest()
	if err != nil {
		return err
	}
	config, err := image.RawConfigFile()
	if err != nil {
		return err
	}
	set.blobs[digest.String()] = bytesBlob(digest, raw)
	set.blobs[manifest.Config.Digest.String()] = bytesBlob(manifest.Config.Digest, config)
	action := hosts.LoadImage{
		Reference: reference,
		Manifest:  hosts.ImageBlob{MediaType: string(manifest.MediaType), Digest: digest.String(), Size: int64(len(raw))},
		Blobs:     []hosts.ImageBlob{imageBlob(manifest.Config)},
	}
	layers, err := image.Layers()
	if err != nil {
		return err
	}
	for i, layer := range layers {
		if err := set.addLayer(manifest.Layers[i], layer); err != nil {
			return err
		}
		action.Blobs = append(action.Blobs, imageBlob(manifest.Layers[i]))
	}
	set.actions = append(set.actions, action)
	return nil
}

func (set *imageSet) addLayer(descriptor v1.Descriptor, layer v1.Layer) error {
	ref := descriptor.Digest.String()
	if _, ok := set.blobs[ref]; ok {
		return nil
	}
	path := filepath.Join(set.folder, descriptor.Digest.Hex)
	content, err := layer.Compressed()
	if err != nil {
		return err
	}
	defer content.Close()
	if err := writeStream(path, content); err != nil {
		return err
	}
	set.blobs[ref] = hosts.Blob{
		Ref:    ref,
		SHA256: descriptor.Digest.Hex,
		Size:   descriptor.Size,
		Open:   func() (io.ReadCloser, error) { return os.Open(path) },
	}
	return nil
}

func imageBlob(d v1.Descriptor) hosts.ImageBlob {
	return hosts.ImageBlob{MediaType: string(d.MediaType), Digest: d.Digest.String(), Size: d.Size}
}
