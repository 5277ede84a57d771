// Package build makes a bundle from source: it compiles every component from the Go
// module proxy at the versions that bundle/components pins, takes the load balancer and
// the network tools out of the distribution's own packages, and packs all of it.
//
// Everything is kept in a cache under a key of all that it was made from, so that a
// second build compiles nothing; the same inputs give the same bundle, byte for byte.
//
// What a bare Debian or Ubuntu machine needs for it is Packages, beside Go itself and
// the lists of apt (`apt-get update`).
package build

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/slipway-k8s/slipway/bundle"
	"github.com/slipway-k8s/slipway/bundle/archive"
)

// Packages are the distribution's packages that a build needs.
var Packages = []string{"ca-certificates", "gcc", "libc6-dev", "libseccomp-dev", "zstd"}

// Options say what to build and where.
type Options struct {
	// Components is the folder bundle/components of a checkout.
	Components string
	// Kubernetes is the version to build, one of Versions, or its set of pins; empty is the default.
	Kubernetes string
	// Out is the file to write.
	Out string
	// Cache is kept between builds; empty is slipway/bundle in the user's cache folder.
	Cache string
	// Agent is the slipway-agent to put in, built without cgo for this platform. Empty leaves
	// the agent set out.
	Agent          string
	SlipwayVersion string
	// Fast compresses little: for trying a bundle out.
	Fast bool
	// SignKey signs the bundle.
	SignKey ed25519.PrivateKey
}

// builder holds what all the work of one build shares.
type builder struct {
	set        pinnedSet
	goVersion  string
	modCache   string
	platform   bundle.Platform // what is built for: this machine's own
	cache      cache
	debian     debian
	compressor compressor
	tell       report
}

func newBuilder(ctx context.Context, options Options, progress func(Progress)) (*builder, error) {
	if _, err := os.Stat(filepath.Join(options.Components, "kube", "go.mod")); err != nil {
		return nil, fmt.Errorf("find the components' sources: %s is not bundle/components of a Slipway checkout: %w", options.Components, err)
	}
	source, err := filepath.Abs(options.Components)
	if err != nil {
		return nil, err
	}
	set, err := findSet(source, options.Kubernetes)
	if err != nil {
		return nil, err
	}
	root, err := cacheRoot(options.Cache)
	if err != nil {
		return nil, err
	}
	command := exec.CommandContext(ctx, "go", "env", "GOVERSION", "GOMODCACHE")
	command.Dir = source
	env, err := output(command)
	if err != nil {
		return nil, fmt.Errorf("find Go: %w", err)
	}
	lines := strings.Split(strings.TrimSpace(env), "\n")
	if len(lines) != 2 {
		return nil, fmt.Errorf("find Go: `go env` answered %q", env)
	}
	return &builder{
		set: set, goVersion: lines[0], modCache: lines[1], cache: cache{root: root},
		platform:   bundle.Platform{OS: runtime.GOOS, Arch: runtime.GOARCH},
		debian:     debian{pool: filepath.Join(root, "debs")},
		compressor: newCompressor(ctx, options.Fast), tell: oneByOne(progress),
	}, nil
}

func cacheRoot(given string) (string, error) {
	if given != "" {
		return filepath.Abs(given)
	}
	base, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find the cache folder: %w", err)
	}
	return filepath.Join(base, "slipway", "bundle"), nil
}

// oneByOne lets works that run side by side report to one listener.
func oneByOne(progress func(Progress)) report {
	if progress == nil {
		return func(Progress) {}
	}
	var lock sync.Mutex
	return func(p Progress) {
		lock.Lock()
		defer lock.Unlock()
		progress(p)
	}
}

// Build builds a bundle.
func Build(ctx context.Context, options Options, progress func(Progress)) error {
	return interrupted(ctx, buildBundle(ctx, options, progress))
}

// interrupted makes of whatever a command said when it was stopped that it was stopped.
func interrupted(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return fmt.Errorf("build bundle: %w", ctx.Err())
	}
	return err
}

func buildBundle(ctx context.Context, options Options, progress func(Progress)) error {
	b, err := newBuilder(ctx, options, progress)
	if err != nil {
		return err
	}
	if err := b.cache.sweep(time.Now()); err != nil {
		return fmt.Errorf("sweep the cache: %w", err)
	}
	parts, err := b.makeParts(ctx, options)
	if err != nil {
		return err
	}
	content, err := b.assemble(ctx, parts, options)
	if err != nil {
		return err
	}
	content.SignKey = options.SignKey
	if err := os.MkdirAll(filepath.Dir(options.Out), 0o755); err != nil {
		return fmt.Errorf("write %s: %w", options.Out, err)
	}
	_, err = work(b.tell, StageWrite, filepath.Base(options.Out), func(func(string)) (string, outcome, error) {
		digest, err := archive.Write(options.Out, content, nil)
		if err != nil {
			return "", outcome{}, err
		}
		info, err := os.Stat(options.Out)
		if err != nil {
			return "", outcome{}, err
		}
		return digest, outcome{bytes: info.Size()}, nil
	})
	return err
}

// Component builds one component's program alone, such as kubeadm, to a path.
func Component(ctx context.Context, options Options, name string, progress func(Progress)) error {
	return interrupted(ctx, buildComponent(ctx, options, name, progress))
}

func buildComponent(ctx context.Context, options Options, name string, progress func(Progress)) error {
	c, err := findComponent(name)
	if err != nil {
		return err
	}
	b, err := newBuilder(ctx, options, progress)
	if err != nil {
		return err
	}
	made, err := b.compile(ctx, c)
	if err != nil {
		return err
	}
	if name == c.name {
		name = c.programs[0].name
	}
	_, source, err := made.program(name)
	if err != nil {
		return err
	}
	return install(source, options.Out)
}

// install copies a program to a path, whole or not at all.
func install(source, out string) error {
	if err := os.MkdirAll(filepath.Dir(out), 0o755); err != nil {
		return fmt.Errorf("write %s: %w", out, err)
	}
	temporary := filepath.Join(filepath.Dir(out), "."+filepath.Base(out)+".new")
	if err := copyFile(source, temporary); err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", out, err), os.RemoveAll(temporary))
	}
	if err := errors.Join(os.Chmod(temporary, fs.FileMode(0o755)), os.Rename(temporary, out)); err != nil {
		return fmt.Errorf("write %s: %w", out, err)
	}
	return nil
}

// parts is everything that a bundle is assembled from.
type parts struct {
	lock     sync.Mutex
	compiled map[string]compiled // by component
	versions map[string]string   // by component
	layers   map[string]layer    // by name
	root     debRoot
}

func (p *parts) add(layers ...layer) {
	p.lock.Lock()
	defer p.lock.Unlock()
	for _, l := range layers {
		p.layers[l.name] = l
	}
}

func (p *parts) addCompiled(name, version string, made compiled) {
	p.lock.Lock()
	defer p.lock.Unlock()
	p.compiled[name], p.versions[name] = made, version
}

// sideBySide is how many works run at once. A compiler fills the processors by itself;
// a second one fills the gaps while it links.
const sideBySide = 2

// makeParts does all the work that can be done side by side. What takes longest begins
// first, so that both places are at work to the end.
func (b *builder) makeParts(ctx context.Context, options Options) (*parts, error) {
	p := &parts{compiled: map[string]compiled{}, versions: map[string]string{}, layers: map[string]layer{}}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(sideBySide)
	for _, lane := range lanes(components) {
		group.Go(func() error {
			for _, c := range lane {
				if err := b.makeComponent(ctx, c, p); err != nil {
					return err
				}
			}
			return nil
		})
	}
	group.Go(func() error { return b.makeRoot(ctx, p) })
	if options.Agent != "" {
		group.Go(func() error { return b.makeAgent(ctx, options, p) })
	}
	return p, group.Wait()
}

// lanes are the bundle's components with those of one folder together, in their order: side
// by side, two of one module would both compile what they share.
func lanes(all []component) [][]component {
	var lanes [][]component
	for _, c := range all {
		if c.peer {
			continue
		}
		i := slices.IndexFunc(lanes, func(lane []component) bool { return lane[0].folder == c.folder })
		if i < 0 {
			lanes = append(lanes, []component{c})
		} else {
			lanes[i] = append(lanes[i], c)
		}
	}
	return lanes
}

func (b *builder) makeComponent(ctx context.Context, c component, p *parts) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	made, err := b.compile(ctx, c)
	if err != nil {
		return err
	}
	c, err = c.resolve(b.set)
	if err != nil {
		return err
	}
	p.addCompiled(c.name, c.version, made)
	layers, err := b.layersOf(ctx, made, c.name)
	p.add(layers...)
	return err
}

func (b *builder) makeRoot(ctx context.Context, p *parts) error {
	base, err := b.pack(ctx, layerBase, baseFiles())
	if err != nil {
		return err
	}
	root, err := b.root(ctx)
	if err != nil {
		return err
	}
	layers, err := b.rootLayers(ctx, root)
	p.add(append(layers, base)...)
	p.root = root
	return err
}
