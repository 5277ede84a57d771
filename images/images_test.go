package images

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/klauspost/compress/zstd"

	"github.com/slipway-k8s/slipway/bundle"
)

// image is a made-up image for a platform.
func image(t *testing.T, arch, variant string) v1.Image {
	t.Helper()
	made, err := random.Image(64, 2)
	if err != nil {
		t.Fatal(err)
	}
	config, err := made.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	config = config.DeepCopy()
	config.OS, config.Architecture, config.Variant = "linux", arch, variant
	if made, err = mutate.ConfigFile(made, config); err != nil {
		t.Fatal(err)
	}
	return made
}

// docker writes a docker-archive with one image by each of the names.
func docker(t *testing.T, made v1.Image, names ...string) string {
	t.Helper()
	all := map[name.Tag]v1.Image{}
	for _, text := range names {
		tag, err := name.NewTag(text)
		if err != nil {
			t.Fatal(err)
		}
		all[tag] = made
	}
	file := filepath.Join(t.TempDir(), "app.tar")
	if err := tarball.MultiWriteToFile(file, all); err != nil {
		t.Fatal(err)
	}
	// The library writes index.docker.io, which docker and podman do not.
	rewrite(t, file, "manifest.json", func(content []byte) []byte {
		return bytes.ReplaceAll(content, []byte("index.docker.io/library/app"), []byte("app"))
	})
	return file
}

// rewrite changes one entry of a tar.
func rewrite(t *testing.T, file, entry string, change func([]byte) []byte) {
	t.Helper()
	var out bytes.Buffer
	writer := tar.NewWriter(&out)
	err := eachEntry(t.Context(), file, func(at string, header *tar.Header, content io.Reader) error {
		data, err := io.ReadAll(content)
		if err != nil {
			return err
		}
		if at == entry {
			data = change(data)
		}
		header.Size = int64(len(data))
		if err := writer.WriteHeader(header); err != nil {
			return err
		}
		_, err = writer.Write(data)
		return err
	})
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	write(t, file, out.Bytes())
}

func write(t *testing.T, file string, content []byte) {
	t.Helper()
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

// entry is an image or an index in a layout's index.json.
type entry struct {
	content     mutate.Appendable
	annotations map[string]string
}

// ociFolder writes a layout.
func ociFolder(t *testing.T, entries ...entry) string {
	t.Helper()
	folder := t.TempDir()
	path, err := layout.Write(folder, empty.Index)
	if err != nil {
		t.Fatal(err)
	}
	for _, one := range entries {
		options := layout.WithAnnotations(one.annotations)
		switch content := one.content.(type) {
		case v1.Image:
			err = path.AppendImage(content, options)
		case v1.ImageIndex:
			err = path.AppendIndex(content, options)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

// tarOf packs a folder, names with a leading ./ as tar writes them.
func tarOf(t *testing.T, folder string) string {
	t.Helper()
	var out bytes.Buffer
	writer := tar.NewWriter(&out)
	err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if err := writer.WriteHeader(&tar.Header{Name: "./" + path[len(folder)+1:], Mode: 0o644, Size: int64(len(data))}); err != nil {
			return err
		}
		_, err = writer.Write(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "oci.tar")
	write(t, file, out.Bytes())
	return file
}

// compressed gives a copy of a file, compressed.
func compressed(t *testing.T, file, by string) string {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var (
		out    bytes.Buffer
		writer io.WriteCloser
	)
	switch by {
	case "gz":
		writer = gzip.NewWriter(&out)
	case "zst":
		if writer, err = zstd.NewWriter(&out); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := writer.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	write(t, file+"."+by, out.Bytes())
	return file + "." + by
}

// contents are the names and platforms of what is read. Every blob is opened, and held
// against its digest.
func contents(t *testing.T, paths []string, as string) []string {
	t.Helper()
	set, err := Read(t.Context(), paths, as)
	if err != nil {
		t.Fatalf("read %v: %v", paths, err)
	}
	defer set.Close()
	var found []string
	for _, image := range set.Images() {
		found = append(found, image.Load.Reference+" "+image.Platform.String())
		if image.Load.Manifest.MediaType == "" || len(image.Load.Blobs) != 3 {
			t.Errorf("%s is loaded as %+v", image.Load.Reference, image.Load)
		}
		for _, ref := range append(image.Load.Blobs, image.Load.Manifest) {
			blob, ok := set.Blob(ref.Digest)
			if !ok {
				t.Fatalf("%s has no blob %s", image.Load.Reference, ref.Digest)
			}
			reader, err := blob.Open()
			if err != nil {
				t.Fatal(err)
			}
			hash := sha256.New()
			size, err := io.Copy(hash, reader)
			reader.Close()
			if sum := "sha256:" + hex.EncodeToString(hash.Sum(nil)); err != nil || sum != ref.Digest || size != ref.Size {
				t.Errorf("blob %s: %d bytes, %s, %v", ref.Digest, size, sum, err)
			}
		}
	}
	if err := set.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(set.folder); err == nil {
		t.Errorf("%s is left", set.folder)
	}
	return found
}

func TestNamesAreWhatTheRuntimeLooksUp(t *testing.T) {
	made := image(t, "amd64", "")
	for text, full := range map[string]string{
		"app:1":                       "docker.io/library/app:1",
		"acme/x:1":                    "docker.io/acme/x:1",
		"docker.io/library/x:1":       "docker.io/library/x:1",
		"index.docker.io/library/x:1": "docker.io/library/x:1",
		"docker.io/acme/x:1":          "docker.io/acme/x:1",
		"localhost/app:1":             "localhost/app:1",
		"registry.example.com/x:1":    "registry.example.com/x:1",
		"mirror:5000/a/x:1":           "mirror:5000/a/x:1",
	} {
		archives := map[string]string{
			"docker": docker(t, made, text),
			"oci":    ociFolder(t, entry{made, map[string]string{"org.opencontainers.image.ref.name": text}}),
		}
		for form, archive := range archives {
			want := []string{full + " linux/amd64"}
			if diff := cmp.Diff(want, contents(t, []string{archive}, "")); diff != "" {
				t.Errorf("%s %s (-want +got):\n%s", form, text, diff)
			}
		}
	}
}

func TestFormatsAreRead(t *testing.T) {
	made := image(t, "amd64", "")
	saved := docker(t, made, "app:1")
	folder := ociFolder(t, entry{made, map[string]string{"io.containerd.image.name": "docker.io/library/app:1", "org.opencontainers.image.ref.name": "1"}})
	packed := tarOf(t, folder)
	for _, path := range []string{
		saved, compressed(t, saved, "gz"), compressed(t, saved, "zst"),
		folder, packed, compressed(t, packed, "gz"), compressed(t, packed, "zst"),
	} {
		if diff := cmp.Diff([]string{"docker.io/library/app:1 linux/amd64"}, contents(t, []string{path}, "")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", path, diff)
		}
	}
}

func TestOneImageByTwoNamesAndTwoFiles(t *testing.T) {
	first, second := docker(t, image(t, "amd64", ""), "app:1", "app:latest"), docker(t, image(t, "arm64", "v8"), "acme/y:2")
	got := contents(t, []string{first, second}, "")
	slices.Sort(got)
	want := []string{"docker.io/acme/y:2 linux/arm64", "docker.io/library/app:1 linux/amd64", "docker.io/library/app:latest linux/amd64"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestOneImageInTwoFilesIsOne(t *testing.T) {
	made := image(t, "amd64", "")
	first, second := docker(t, made, "app:1"), docker(t, made, "app:1", "acme/y:2")
	for _, test := range []struct {
		paths []string
		as    string
		want  []string
	}{
		{[]string{first, first}, "", []string{"docker.io/library/app:1 linux/amd64"}},
		{[]string{first, second}, "", []string{"docker.io/acme/y:2 linux/amd64", "docker.io/library/app:1 linux/amd64"}},
		{[]string{first, second}, "app:3", []string{"docker.io/library/app:3 linux/amd64"}},
	} {
		got := contents(t, test.paths, test.as)
		slices.Sort(got)
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%v as %q (-want +got):\n%s", test.paths, test.as, diff)
		}
	}
}

// index is what buildx makes for several platforms, with its attestation.
func index(t *testing.T, images ...v1.Image) v1.ImageIndex {
	t.Helper()
	made := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, one := range images {
		made = mutate.AppendManifests(made, mutate.IndexAddendum{Add: one})
	}
	attestation := image(t, "unknown", "")
	return mutate.AppendManifests(made, mutate.IndexAddendum{Add: attestation, Descriptor: v1.Descriptor{
		Annotations: map[string]string{"vnd.docker.reference.type": "attestation-manifest"},
	}})
}

func TestAnIndexGivesEachPlatformItsImage(t *testing.T) {
	named := map[string]string{"io.containerd.image.name": "docker.io/acme/x:1"}
	all := index(t, image(t, "amd64", "v3"), image(t, "arm64", "v8"), image(t, "amd64", ""))
	folder := ociFolder(t, entry{all, named})
	set, err := Read(t.Context(), []string{folder}, "")
	if err != nil {
		t.Fatal(err)
	}
	defer set.Close()
	var platforms []string
	for _, image := range set.Images() {
		platforms = append(platforms, image.Platform.String())
	}
	if diff := cmp.Diff([]string{"linux/amd64", "linux/amd64", "linux/arm64"}, platforms); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	plain, err := all.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	if got, want := set.Images()[0].Load.Manifest.Digest, plain.Manifests[2].Digest.String(); got != want {
		t.Errorf("the first for amd64 is not the one for any of its processors: %s, want %s", got, want)
	}
	// docker saves an index with the platforms that it has not pulled in it.
	blob := filepath.Join(folder, "blobs", "sha256", plain.Manifests[1].Digest.Hex)
	if err := os.Remove(blob); err != nil {
		t.Fatal(err)
	}
	if got := contents(t, []string{folder}, ""); len(got) != 2 {
		t.Errorf("without arm64: %v", got)
	}
}

func TestANameCanBeGiven(t *testing.T) {
	made := image(t, "amd64", "")
	tagged := ociFolder(t, entry{made, map[string]string{"org.opencontainers.image.ref.name": "1.2"}})
	unnamed := ociFolder(t, entry{made, nil})
	saved := docker(t, made, "localhost/app:1")
	for _, test := range []struct{ path, as, want string }{
		{tagged, "app", "docker.io/library/app:1.2"},
		{tagged, "app:2", "docker.io/library/app:2"},
		{unnamed, "app", "docker.io/library/app:latest"},
		{saved, "acme/app", "docker.io/acme/app:1"},
	} {
		if diff := cmp.Diff([]string{test.want + " linux/amd64"}, contents(t, []string{test.path}, test.as)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.as, diff)
		}
	}
}

func TestWhatIsNotReadIsNamed(t *testing.T) {
	file := func(name, content string) string {
		path := filepath.Join(t.TempDir(), name)
		write(t, path, []byte(content))
		return path
	}
	folder := func(files ...string) string {
		dir := t.TempDir()
		for _, name := range files {
			if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700); err != nil {
				t.Fatal(err)
			}
			write(t, filepath.Join(dir, name), []byte("{}"))
		}
		return dir
	}
	made := image(t, "amd64", "")
	named := entry{made, map[string]string{"org.opencontainers.image.ref.name": "app:1"}}
	damaged := ociFolder(t, named)
	layers, err := made.Layers()
	if err != nil {
		t.Fatal(err)
	}
	digest, err := layers[1].Digest()
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(damaged, "blobs", "sha256", digest.Hex), []byte("x"))
	manifest := func(change func(string) string, names ...string) string {
		file := docker(t, made, names...)
		rewrite(t, file, "manifest.json", func(content []byte) []byte { return []byte(change(string(content))) })
		return file
	}
	halfNamed := manifest(func(text string) string {
		one := strings.Trim(text, "[]\n")
		return "[" + one + "," + strings.Replace(one, `"app:1"`, "", 1) + "]"
	}, "app:1")
	cut := docker(t, made, "app:1")
	if err := os.Truncate(cut, 600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		paths []string
		as    string
		says  string
	}{
		"xz":                    {[]string{file("a.tar.xz", "\xfd7zXZ\x00rest")}, "", "compressed by xz"},
		"bzip2":                 {[]string{file("a.tar.bz2", "BZh91AY")}, "", "bzip2 -d"},
		"zip":                   {[]string{file("a.zip", "PK\x03\x04rest")}, "", "a zip file"},
		"text":                  {[]string{file("a.tar", strings.Repeat("words ", 500))}, "", "not a tar"},
		"nothing":               {[]string{file("a.tar", "")}, "", "nothing in it"},
		"broken gzip":           {[]string{file("a.tar.gz", "\x1f\x8bxxxxxxxxxxxxxx")}, "", "gzip"},
		"a file system":         {[]string{tarOf(t, folder("etc/passwd", "bin/sh"))}, "", "docker export"},
		"another tar":           {[]string{tarOf(t, folder("chart/Chart.yaml"))}, "", "neither"},
		"a folder":              {[]string{folder("chart/Chart.yaml")}, "", "not an OCI image layout"},
		"an empty layout":       {[]string{ociFolder(t)}, "", "holds no image"},
		"a damaged blob":        {[]string{damaged}, "", "is damaged"},
		"a cut tar":             {[]string{cut}, "", "too early"},
		"no name":               {[]string{ociFolder(t, entry{made, nil})}, "", "--name"},
		"a tag alone":           {[]string{ociFolder(t, entry{made, map[string]string{"org.opencontainers.image.ref.name": "1"}})}, "", `only the tag "1"`},
		"a name for two images": {[]string{docker(t, made, "a/a:1"), docker(t, image(t, "amd64", ""), "b/b:1")}, "app", "2 images"},
		"one name twice":        {[]string{docker(t, made, "app:1"), docker(t, image(t, "amd64", ""), "docker.io/library/app:1")}, "", "too"},
		"one without a name":    {[]string{halfNamed}, "", "one of its 2 images has no name"},
		"a name for which one":  {[]string{halfNamed}, "app:2", "one of its 2 images has no name"},
		"an empty manifest":     {[]string{manifest(func(string) string { return "[]" }, "app:1")}, "", "names no image"},
		"no file":               {[]string{filepath.Join(t.TempDir(), "no.tar")}, "", "no such file"},
	} {
		set, err := Read(t.Context(), test.paths, test.as)
		if err == nil {
			set.Close()
			t.Errorf("%s is read", name)
			continue
		}
		if !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: want %q, got: %v", name, test.says, err)
		}
	}
}

// interrupted is a context that ends when it is asked so many times whether it has.
type interrupted struct {
	context.Context
	asks atomic.Int64
}

func (c *interrupted) Err() error {
	if c.asks.Add(-1) <= 0 {
		return context.Canceled
	}
	return nil
}

func TestAnInterruptEndsTheReadingAndLeavesNothing(t *testing.T) {
	made := image(t, "amd64", "")
	saved, folder := docker(t, made, "app:1"), ociFolder(t, entry{made, map[string]string{"org.opencontainers.image.ref.name": "app:1"}})
	paths := []string{saved, compressed(t, saved, "gz"), compressed(t, saved, "zst"), folder, tarOf(t, folder)}
	temporary := t.TempDir()
	t.Setenv("TMPDIR", temporary)
	for _, path := range paths {
		for asks := int64(1); ; asks++ { // wherever in the reading it comes
			ctx := &interrupted{Context: t.Context()}
			ctx.asks.Store(asks)
			set, err := Read(ctx, []string{path}, "")
			if err == nil {
				if asks < 5 {
					t.Errorf("%s is read within %d steps", path, asks)
				}
				set.Close()
				break
			}
			if !errors.Is(err, context.Canceled) {
				t.Errorf("%s, at step %d: %v", path, asks, err)
			}
		}
	}
	if left, err := os.ReadDir(temporary); err != nil || len(left) > 0 {
		t.Errorf("%v is left, %v", left, err)
	}
}

func TestAnImageWithoutPlatformSaysNone(t *testing.T) {
	set, err := Read(t.Context(), []string{docker(t, image(t, "", ""), "app:1")}, "")
	if err != nil {
		t.Fatal(err)
	}
	defer set.Close()
	if got := set.Images()[0].Platform; got != (bundle.Platform{}) {
		t.Errorf("its platform is %s", got)
	}
}
