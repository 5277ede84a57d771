package workflow

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/bundle"
	"github.com/slipway-k8s/slipway/cluster"
)

// FoundBundle is a bundle that lies on the operator's machine.
type FoundBundle struct {
	Path      string
	Size      int64 // bytes
	Bill      bundle.Bill
	Digest    string
	Signature string // who signed it, or that nobody did
	Err       error  // why it cannot be used; nil: it can
}

// FindBundles looks for bundles where they usually lie: in the current folder and its dist, beside the cluster file,
// and beside this program. Those that can be used come first, the newest version before others. What is no bundle is left out.
func FindBundles(file string, c *cluster.Cluster) []FoundBundle {
	folders := []string{".", "dist", filepath.Dir(file), filepath.Join(filepath.Dir(file), "dist")}
	if program, err := os.Executable(); err == nil {
		folders = append(folders, filepath.Dir(program), filepath.Join(filepath.Dir(program), "..", "dist"))
	}
	var found []FoundBundle
	seen := map[string]bool{}
	for _, folder := range folders {
		files, _ := filepath.Glob(filepath.Join(folder, "*.tar")) // the pattern is a good one
		for _, path := range files {
			real, err := filepath.EvalSymlinks(path)
			if err == nil {
				real, err = filepath.Abs(real)
			}
			if err != nil || seen[real] {
				continue
			}
			seen[real] = true
			if one := LookAtBundle(path, file, c); one.Err == nil || one.Digest != "" {
				found = append(found, one)
			}
		}
	}
	slices.SortStableFunc(found, func(a, b FoundBundle) int {
		if (a.Err == nil) != (b.Err == nil) {
			return map[bool]int{true: -1, false: 1}[a.Err == nil]
		}
		return -compareVersions(a.Bill.KubernetesVersion, b.Bill.KubernetesVersion)
	})
	return found
}

func compareVersions(a, b string) int {
	one, err := cluster.ParseVersion(a)
	other, err2 := cluster.ParseVersion(b)
	if err != nil || err2 != nil {
		return strings.Compare(a, b)
	}
	return one.Compare(other)
}

// LookAtBundle opens a bundle, and tells whether those whom the cluster file trusts have signed it; the files of their keys
// are beside that file. What the bundle holds is not read: Verify does that.
func LookAtBundle(path, file string, c *cluster.Cluster) FoundBundle {
	found := FoundBundle{Path: path}
	if info, err := os.Stat(path); err == nil {
		found.Size = info.Size()
	}
	named := cluster.Cluster{Bundle: cluster.Bundle{TrustedKeyFiles: slices.Clone(c.Bundle.TrustedKeyFiles)}}
	named.MapFiles(func(key string) string { return beside(file, key) })
	trusted, err := trustOf(&named)
	if err != nil {
		found.Err = err
		return found
	}
	opened, err := trusted.openBundle(path)
	if err != nil {
		if any, looked := (Trust{}).openBundle(path); looked == nil { // it is a bundle, and refused
			found.Bill, found.Digest, found.Signature = any.Bill(), any.Digest(), any.Signature().String()
			_ = any.Close()
		}
		found.Err = err
		return found
	}
	defer opened.Close()
	found.Bill, found.Digest, found.Signature = opened.Bill(), opened.Digest(), opened.Signature().String()
	if v, err := cluster.ParseVersion(found.Bill.KubernetesVersion); err != nil {
		found.Err = fmt.Errorf("the bundle %s: %w", path, err)
	} else if err := cluster.Installable(v); err != nil {
		found.Err = fmt.Errorf("the bundle %s: %w", path, err)
	}
	return found
}

// Verify reads all of the bundle, and compares it with its digests.
func (f FoundBundle) Verify(ctx context.Context) error {
	opened, err := (Trust{}).openBundle(f.Path)
	if err != nil {
		return err
	}
	defer opened.Close()
	if opened.Digest() != f.Digest {
		return usagef("verify the bundle %s: it is another file by now: choose it again", f.Path)
	}
	return opened.Verify(ctx)
}
