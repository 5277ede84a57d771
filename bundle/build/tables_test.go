package build

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/mod/semver"

	"github.com/slipway-k8s/slipway/cluster"
)

// eachSet runs a test for every pinned set.
func eachSet(t *testing.T, test func(t *testing.T, kubernetes string, set pinnedSet)) {
	t.Helper()
	versions, err := Versions("../components")
	must(t, err)
	for _, kubernetes := range versions {
		set, err := findSet("../components", kubernetes)
		must(t, err)
		if len(set.folders) > 0 {
			named, err := findSet("../components", set.folders[0])
			must(t, err)
			if !slices.Equal(named.folders, set.folders) {
				t.Errorf("the set %s is %v, that of %s %v", set.folders[0], named, kubernetes, set)
			}
		}
		t.Run(kubernetes, func(t *testing.T) { test(t, kubernetes, set) })
	}
}

func TestVersionsStandInTheComponentsModules(t *testing.T) {
	eachSet(t, func(t *testing.T, kubernetes string, set pinnedSet) {
		for _, c := range components {
			resolved, err := c.resolve(set)
			if err != nil {
				t.Error(err)
				continue
			}
			if resolved.version == "" {
				t.Errorf("%s has no version", c.name)
			}
			if flags := resolved.linkFlags(); strings.ContainsAny(flags, "{}") {
				t.Errorf("%s: a placeholder is left in %s", c.name, flags)
			}
			if c.module == "" {
				continue // no modules but Go's own
			}
			if _, sum, err := set.modules(c.folder); err != nil {
				t.Error(err)
			} else if _, err := os.Stat(sum); err != nil {
				t.Error(err)
			}
		}
		kubeadm, err := findComponent("kubeadm")
		must(t, err)
		if kubeadm, err = kubeadm.resolve(set); err != nil || kubeadm.version != kubernetes || !strings.Contains(kubeadm.linkFlags(), "gitVersion="+kubernetes+" ") {
			t.Errorf("kubeadm %s is linked with %s: %v", kubeadm.version, kubeadm.linkFlags(), err)
		}
	})
	if _, err := findComponent("nothing"); err == nil {
		t.Error("a component of that name was found")
	}
}

// TestTheNewestSetIsTheDefault: what is built is what a cluster file means that says nothing.
func TestTheNewestSetIsTheDefault(t *testing.T) {
	versions, err := Versions("../components")
	must(t, err)
	set, err := findSet("../components", "")
	must(t, err)
	got, err := set.version("kube", kubernetesModule)
	must(t, err)
	if got != versions[0] || got != cluster.DefaultKubernetesVersion {
		t.Errorf("the default set is %s, of %v; cluster files default to %s", got, versions, cluster.DefaultKubernetesVersion)
	}
}

// TestAnOlderSetHoldsOnlyWhatDiffers, each file for a component, and of the version that its
// folder is called after.
func TestAnOlderSetHoldsOnlyWhatDiffers(t *testing.T) {
	eachSet(t, func(t *testing.T, kubernetes string, set pinnedSet) {
		if len(set.folders) == 0 {
			return
		}
		if folder := set.folders[0]; kubernetes != folder && semver.MajorMinor(kubernetes) != folder {
			t.Errorf("Kubernetes %s is pinned in %s", kubernetes, folder)
		}
		files, err := filepath.Glob(filepath.Join(set.components, set.folders[0], "*"))
		must(t, err)
		for _, path := range files {
			name, isMod := strings.CutSuffix(filepath.Base(path), ".mod")
			if !isMod {
				if _, err := os.Stat(strings.TrimSuffix(path, ".sum") + ".mod"); err != nil {
					t.Errorf("%s is of no module: %v", path, err)
				}
				continue
			}
			without := pinnedSet{set.components, set.folders[1:]}
			other, _, err := without.modules(name)
			must(t, err)
			mine, err := os.ReadFile(path)
			must(t, err)
			if content, err := os.ReadFile(other); err != nil || bytes.Equal(content, mine) {
				t.Errorf("%s says what %s says: %v", path, other, err)
			}
		}
	})
}

func TestAVersionThatNothingPinsIsRefused(t *testing.T) {
	_, err := findSet("../components", "v1.35.4")
	if err == nil || !strings.Contains(err.Error(), "pins "+cluster.DefaultKubernetesVersion) {
		t.Errorf("want the versions that there are, got %v", err)
	}
}

// TestWhereASetsModulesAreLookedFor: a patch version has what its minor has, but for its own.
func TestWhereASetsModulesAreLookedFor(t *testing.T) {
	root := t.TempDir()
	for _, name := range []string{"kube/go.mod", "etcd/go.mod", "runc/go.mod", "v1.1/kube.mod", "v1.1/etcd.mod", "v1.1.3/kube.mod"} {
		write(t, filepath.Join(root, name), "")
	}
	tests := []struct{ set, component, mod, sum string }{
		{"", "kube", "kube/go.mod", "kube/go.sum"},
		{"v1.1", "kube", "v1.1/kube.mod", "v1.1/kube.sum"},
		{"v1.1", "runc", "runc/go.mod", "runc/go.sum"},
		{"v1.1.3", "kube", "v1.1.3/kube.mod", "v1.1.3/kube.sum"},
		{"v1.1.3", "etcd", "v1.1/etcd.mod", "v1.1/etcd.sum"},
		{"v1.1.3", "runc", "runc/go.mod", "runc/go.sum"},
	}
	for _, test := range tests {
		set := pinnedSet{components: root}
		if test.set != "" {
			set.folders = foldersOf(test.set)
		}
		mod, sum, err := set.modules(test.component)
		must(t, err)
		if mod != filepath.Join(root, test.mod) || sum != filepath.Join(root, test.sum) {
			t.Errorf("%s of the set %q: %s and %s, want %s and %s", test.component, test.set, mod, sum, test.mod, test.sum)
		}
	}
}

// TestTheCacheTellsSetsApart, and finds again what was built of the same modules.
func TestTheCacheTellsSetsApart(t *testing.T) {
	c, err := findComponent("etcd")
	must(t, err)
	seen := map[string]string{}
	eachSet(t, func(t *testing.T, kubernetes string, set pinnedSet) {
		mod, _, err := set.modules(c.folder)
		must(t, err)
		sources, err := hashSources(set, c)
		must(t, err)
		id, err := key(sources)
		must(t, err)
		if other, found := seen[id]; found && other != mod {
			t.Errorf("%s and %s have one key", other, mod)
		}
		seen[id] = mod
		if own := (pinnedSet{components: set.components}); len(set.folders) == 0 {
			same, err := hashSources(own, c)
			must(t, err)
			if !maps.Equal(same, sources) {
				t.Errorf("want %v, got %v", same, sources)
			}
		}
	})
	if len(seen) < 2 {
		t.Errorf("all sets have one etcd: %v", seen)
	}
}

func TestTablesFitTogether(t *testing.T) {
	packed := []string{layerBase, layerNetTools, layerLoadBalancer}
	for _, r := range recipes {
		packed = append(packed, r.layer)
		if _, err := findComponent(r.component); err != nil {
			t.Errorf("layer %s: %v", r.layer, err)
		}
	}
	for _, image := range imageRecipes {
		if _, err := findComponent(image.component); err != nil {
			t.Errorf("image %s: %v", image.name, err)
		}
		for _, layer := range image.layers {
			if !slices.Contains(packed, layer) {
				t.Errorf("image %s has the layer %s, which nothing packs", image.name, layer)
			}
		}
	}
}

// TestAFeatureIsClaimedOfSourcesThatHaveIt: the folder of components may be an older checkout's.
func TestAFeatureIsClaimedOfSourcesThatHaveIt(t *testing.T) {
	featured := 0
	for _, c := range components {
		var all []string
		for _, f := range c.features {
			all = append(all, f.name)
		}
		featured += len(all)
		if got := c.can("../components"); !slices.Equal(got, all) {
			t.Errorf("%s of this checkout can %q, want %q", c.name, got, all)
		}
		if got := c.can(t.TempDir()); len(got) > 0 {
			t.Errorf("%s of no sources can %q", c.name, got)
		}
	}
	if featured == 0 {
		t.Error("no component has a feature")
	}
}

func TestParseDepends(t *testing.T) {
	tests := []struct {
		fields string
		want   []string
	}{
		{"Depends: libc6 (>= 2.34), libssl3 (>= 3.0.0), debconf (>= 0.5) | debconf-2.0\nPre-Depends: init-system-helpers (>= 1.54~)",
			[]string{"libc6", "libssl3", "debconf", "init-system-helpers"}},
		{"Depends: perl:any, libfoo1 (= 1:2.3)", []string{"perl", "libfoo1"}},
		{"", nil},
	}
	for _, test := range tests {
		if got := parseDepends(test.fields); !slices.Equal(got, test.want) {
			t.Errorf("parseDepends(%q) = %v, want %v", test.fields, got, test.want)
		}
	}
}

func TestMergedFollowsTheUsrMerge(t *testing.T) {
	tests := map[string]string{
		"./bin/ip":                     "usr/bin/ip",
		"./lib64/ld-linux-x86-64.so.2": "usr/lib64/ld-linux-x86-64.so.2",
		"/lib/x86_64-linux-gnu/a.so":   "usr/lib/x86_64-linux-gnu/a.so",
		"./usr/sbin/nft":               "usr/sbin/nft",
		"./etc/haproxy.cfg":            "etc/haproxy.cfg",
		"./usr/../../../etc/passwd":    "etc/passwd",
		"./library/x":                  "library/x",
	}
	for name, want := range tests {
		if got := merged(name); got != want {
			t.Errorf("merged(%q) = %q, want %q", name, got, want)
		}
	}
}

// TestASelectionFollowsLinks checks that a link is taken with all that it leads to, in
// whichever of the merged folders that lies, and that what is missing is told.
func TestASelectionFollowsLinks(t *testing.T) {
	var out bytes.Buffer
	writer := tar.NewWriter(&out)
	for _, header := range []*tar.Header{
		{Typeflag: tar.TypeSymlink, Name: "./usr/sbin/tool", Linkname: "/bin/tool"},
		{Typeflag: tar.TypeSymlink, Name: "./bin/tool", Linkname: "tool.real"},
		{Typeflag: tar.TypeReg, Name: "./bin/tool.real", Size: 4, Mode: 0o755},
		{Typeflag: tar.TypeSymlink, Name: "./usr/bin/loop", Linkname: "loop"},
		{Typeflag: tar.TypeSymlink, Name: "./usr/bin/lost", Linkname: "../lib/lost.so"},
	} {
		must(t, writer.WriteHeader(header))
		if header.Size > 0 {
			_, err := writer.Write([]byte("#!/x"))
			must(t, err)
		}
	}
	must(t, writer.Close())
	tree := &debTree{scratch: t.TempDir(), nodes: map[string]debNode{}}
	must(t, tree.read(tar.NewReader(&out), "tools"))
	selected := tree.newSelection("usr/lib")
	must(t, selected.add("usr/sbin/tool"))
	if got, want := sortedKeys(selected.paths), []string{"usr/bin/tool", "usr/bin/tool.real", "usr/sbin/tool"}; !slices.Equal(got, want) {
		t.Errorf("selected %v, want %v", got, want)
	}
	must(t, selected.add("usr/bin/lost"))
	if got, want := sortedKeys(selected.missing), []string{"usr/lib/lost.so"}; !slices.Equal(got, want) {
		t.Errorf("missing %v, want %v", got, want)
	}
	must(t, selected.add("usr/bin/loop")) // must end
}

func TestIdentifyLicence(t *testing.T) {
	tests := map[string]string{
		"Apache License\n   Version 2.0, January 2004":                                            "Apache-2.0",
		"MIT License\nPermission is hereby granted,\n free of charge, to any person":              "MIT",
		"Redistribution and use in source and binary forms, with or without … endorse or promote": "BSD-3-Clause",
		"Redistribution and use in source and binary forms, with or without modification":         "BSD-2-Clause",
		"Mozilla Public License, version 2.0":                                                     "MPL-2.0",
		"All rights reserved.":                                                                    "",
	}
	for text, want := range tests {
		if got := identifyLicence(text); got != want {
			t.Errorf("identifyLicence(%q) = %q, want %q", text, got, want)
		}
	}
}

func TestTheCacheMakesAnEntryOnce(t *testing.T) {
	c := cache{root: t.TempDir()}
	var made atomic.Int32
	fill := func(directory string) (string, error) {
		made.Add(1)
		return "described", os.WriteFile(filepath.Join(directory, "file"), []byte("x"), 0o644)
	}
	for i, wantHit := range []bool{false, true} {
		directory, found, hit, err := entry(c, "kind", "name", "inputs", fill)
		if err != nil || hit != wantHit || found != "described" {
			t.Fatalf("time %d: found %q, hit %t, %v", i, found, hit, err)
		}
		if _, err := os.Stat(filepath.Join(directory, "file")); err != nil {
			t.Error(err)
		}
	}
	if _, _, hit, err := entry(c, "kind", "name", "other inputs", fill); err != nil || hit {
		t.Errorf("other inputs: hit %t, %v", hit, err)
	}
	if made.Load() != 2 {
		t.Errorf("made %d times, want 2", made.Load())
	}
}

func TestAFailedEntryLeavesNothing(t *testing.T) {
	c := cache{root: t.TempDir()}
	_, _, _, err := entry(c, "kind", "name", 1, func(directory string) (string, error) {
		must(t, os.WriteFile(filepath.Join(directory, "half"), []byte("x"), 0o644))
		return "", fs.ErrInvalid
	})
	if !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("entry: %v", err)
	}
	left, err := os.ReadDir(filepath.Join(c.root, "kind"))
	if must(t, err); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestTwoMakersOfOneEntryAgree(t *testing.T) {
	c := cache{root: t.TempDir()}
	var group sync.WaitGroup
	both := make(chan struct{})
	var arrived atomic.Int32
	for range 2 {
		group.Go(func() {
			_, found, _, err := entry(c, "kind", "name", 1, func(directory string) (string, error) {
				if arrived.Add(1) == 2 {
					close(both)
				}
				<-both // until both are at it
				return "same", os.WriteFile(filepath.Join(directory, "file"), []byte("x"), 0o644)
			})
			if err != nil || found != "same" {
				t.Errorf("found %q, %v", found, err)
			}
		})
	}
	group.Wait()
}

func TestAFailedCommandIsQuoted(t *testing.T) {
	var said []string
	err := run(exec.CommandContext(context.Background(), "sh", "-c", "echo one >&2; echo two >&2; exit 3"), func(line string) { said = append(said, line) })
	if err == nil || !strings.Contains(err.Error(), "one\ntwo") || !strings.Contains(err.Error(), "exit status 3") {
		t.Errorf("run: %v", err)
	}
	if !slices.Equal(said, []string{"one", "two"}) {
		t.Errorf("said %v", said)
	}
}

// TestWhatSharesAModuleSharesALane: two components of one module that were compiled side by
// side would both compile what they share.
func TestWhatSharesAModuleSharesALane(t *testing.T) {
	all := []component{
		{name: "slow", folder: "a"}, {name: "other", folder: "b"}, {name: "second", folder: "a"}, {name: "peer", folder: "a", peer: true},
	}
	var got []string
	for _, lane := range lanes(all) {
		var names []string
		for _, c := range lane {
			names = append(names, c.name)
		}
		got = append(got, strings.Join(names, " "))
	}
	if want := []string{"slow second", "other"}; !slices.Equal(got, want) {
		t.Errorf("want the lanes %q, got %q", want, got)
	}
}

// TestAComponentsSourcesAreItsOwn: what another component of the module is made from does not
// have this one compiled anew.
func TestAComponentsSourcesAreItsOwn(t *testing.T) {
	c, err := findComponent("coredns")
	must(t, err)
	sources, err := hashSources(pinnedSet{components: "../components"}, c)
	must(t, err)
	if got, want := sortedKeys(sources), []string{"coredns/main.go", "go.mod", "go.sum"}; !slices.Equal(got, want) {
		t.Errorf("want %v, got %v", want, got)
	}
}

// TestACommandsTimeCountsWhatItStarted: go build leaves the work to compilers.
func TestACommandsTimeCountsWhatItStarted(t *testing.T) {
	command := exec.Command("sh", "-c", "(i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done); exit 0")
	must(t, run(command, nil))
	if busy(command) < time.Millisecond {
		t.Errorf("a child of the command was busy, and %s is told", busy(command))
	}
	if busy(exec.Command("true")) != 0 {
		t.Error("a command that has not run was busy")
	}
}

// TestProtocolsHaveNames in every image: a kube-proxy that starts anew empties the map of all Services
// where nft, which it runs, tells the protocol of their keys by a number.
func TestProtocolsHaveNames(t *testing.T) {
	base := baseFiles()
	at := slices.IndexFunc(base, func(file layerFile) bool { return file.Path == "etc/protocols" })
	if at < 0 {
		t.Fatal("there is no /etc/protocols")
	}
	for _, line := range []string{"tcp 6 TCP", "udp 17 UDP", "sctp 132 SCTP"} {
		if !slices.Contains(strings.Split(string(base[at].Content), "\n"), line) {
			t.Errorf("it does not say %q", line)
		}
	}
	for _, image := range imageRecipes {
		if image.name == "kube-proxy" && !slices.Contains(image.layers, layerBase) {
			t.Error("kube-proxy has no such file")
		}
	}
}
