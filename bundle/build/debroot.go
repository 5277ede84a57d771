package build

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// rootPart is a part of the Debian root: the programs out of some packages and, of all
// that these depend on, only the shared libraries that they load.
type rootPart struct {
	layer    string
	packages []string
	programs []string
	// extra are further paths, as patterns, that programs load by name: {libraries} is
	// the folder of shared libraries.
	extra []string
	links map[string]string // made here: in Debian they are alternatives
}

// rootParts are the two layers of the root. kube-proxy and flannel use the first; the
// load balancer uses both.
var rootParts = []rootPart{
	{
		layer:    layerNetTools,
		packages: []string{"conntrack", "ipset", "iproute2", "iptables", "nftables"},
		programs: []string{"conntrack", "ip", "ipset", "nft", "xtables-nft-multi"},
		extra:    []string{"{libraries}/xtables/lib*.so"}, // iptables' matches and targets
		links:    iptablesLinks(),
	},
	{
		layer:    layerLoadBalancer,
		packages: []string{"haproxy", "keepalived", "libgcc-s1"},
		programs: []string{"haproxy", "keepalived", "nft"}, // nft out of the first part's packages
		extra:    []string{"{libraries}/libgcc_s.so.1"},    // what ends a thread loads it by name
	},
}

func iptablesLinks() map[string]string {
	links := map[string]string{}
	for _, family := range []string{"iptables", "ip6tables"} {
		for _, flavour := range []string{"", "-nft"} {
			for _, tool := range []string{"", "-save", "-restore"} {
				links["usr/sbin/"+family+flavour+tool] = "xtables-nft-multi"
			}
		}
	}
	return links
}

// debLicences are the licences of the packages whose programs are in the bundle, and of
// the libraries that they share; all texts are in the licences document.
var debLicences = map[string]string{
	"conntrack":      "GPL-2.0-or-later",
	"haproxy":        "GPL-2.0-or-later AND LGPL-2.1-or-later",
	"iproute2":       "GPL-2.0-or-later",
	"ipset":          "GPL-2.0-only",
	"iptables":       "GPL-2.0-or-later",
	"keepalived":     "GPL-2.0-or-later",
	"libc6":          "LGPL-2.1-or-later",
	"libc6-dev":      "LGPL-2.1-or-later",
	"libcap2":        "BSD-3-Clause OR GPL-2.0-only",
	"libgcc-s1":      "GPL-3.0-or-later WITH GCC-exception-3.1",
	"libseccomp-dev": "LGPL-2.1-only",
	"libssl3":        "Apache-2.0",
	"nftables":       "GPL-2.0-only",
	"zlib1g":         "Zlib",
}

// debFile is a file or link of the root.
type debFile struct {
	Path   string `json:"path"`
	Owner  string `json:"owner"` // package
	Mode   uint32 `json:"mode"`
	Target string `json:"target,omitempty"`
	Digest string `json:"digest,omitempty"`
	Size   int64  `json:"size,omitempty"`
}

// debRoot is the root as gathered. A file that both parts need is in the first, and
// named by Shared in addition.
type debRoot struct {
	Packages []debPackage         `json:"packages"` // those that gave at least one file
	Parts    map[string][]debFile `json:"parts"`    // by layer
	// Shared are the paths of the first part that the load balancer needs too.
	Shared []string `json:"shared"`

	directory string
}

// root gathers the Debian root, or finds it as gathered before from the same packages.
func (b *builder) root(ctx context.Context) (debRoot, error) {
	return work(b.tell, StageFetch, "debian", func(moving func(string)) (debRoot, outcome, error) {
		root, hit, err := b.findRoot(ctx, moving)
		if err != nil {
			return root, outcome{}, fmt.Errorf("gather the Debian root: %w", err)
		}
		var size int64
		for _, p := range root.Packages {
			size += p.Size
		}
		return root, outcome{bytes: size, cached: hit}, nil
	})
}

// rootInputs decide what the root is made of.
type rootInputs struct {
	Parts    string
	Packages []debPackage
}

// findRoot asks apt for the packages that the last build came to need: where these are
// still the same, the root is. Else it grows one anew.
func (b *builder) findRoot(ctx context.Context, moving func(string)) (debRoot, bool, error) {
	parts := fmt.Sprint(rootParts)
	last, err := readEntry[closure](b.closurePath())
	if err == nil {
		packages, err := b.debian.resolve(ctx, last.Names)
		if err != nil {
			return debRoot{}, false, err
		}
		directory, err := b.cache.path("debian", "root", rootInputs{parts, packages})
		if err != nil {
			return debRoot{}, false, err
		}
		if root, err := readEntry[debRoot](directory); err == nil {
			root.directory = directory
			return root, true, nil
		}
	}
	root, err := b.growRoot(ctx, parts, moving)
	return root, false, err
}

func (b *builder) growRoot(ctx context.Context, parts string, moving func(string)) (root debRoot, err error) {
	if err := os.MkdirAll(b.cache.root, 0o755); err != nil {
		return root, err
	}
	scratch, err := os.MkdirTemp(b.cache.root, ".debian-")
	if err != nil {
		return root, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(scratch)) }()
	libraries, err := multiarch(b.platform.Arch)
	if err != nil {
		return root, err
	}
	grown := &growth{debian: b.debian, libraries: "usr/lib/" + libraries, tree: &debTree{scratch: scratch, nodes: map[string]debNode{}}, moving: moving}
	if err := grown.grow(ctx); err != nil {
		return root, err
	}
	directory, root, _, err := entry(b.cache, "debian", "root", rootInputs{parts, grown.packages}, grown.gather)
	if err != nil {
		return root, err
	}
	root.directory = directory
	return root, b.rememberClosure(grown.packages)
}

// closure names every package that the last root needed: only a hint.
type closure struct {
	Names []string `json:"names"`
}

func (b *builder) closurePath() string { return filepath.Join(b.cache.root, "debian", "closure") }

func (b *builder) rememberClosure(packages []debPackage) error {
	var names closure
	for _, p := range packages {
		names.Names = append(names.Names, p.Name)
	}
	if err := os.RemoveAll(b.closurePath()); err != nil {
		return err
	}
	_, err := makeEntry(b.closurePath(), func(string) (closure, error) { return names, nil })
	return err
}
