package build

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"
)

// debPackage is a Debian package of the machine's own suite, as apt resolves it.
type debPackage struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	SHA256  string `json:"sha256,omitempty"`
	License string `json:"license,omitempty"`
	Size    int64  `json:"size,omitempty"` // of what of it is in the bundle
}

// debian fetches packages with the machine's own apt and keeps them by their checksum.
type debian struct{ pool string }

// resolve asks apt for the candidates of the packages; it needs no network.
func (d debian) resolve(ctx context.Context, names []string) ([]debPackage, error) {
	if _, err := exec.LookPath("apt-get"); err != nil {
		return nil, fmt.Errorf("find Debian packages: apt-get is not here; a bundle is built from source on Debian or Ubuntu: %w", err)
	}
	uris, err := output(exec.CommandContext(ctx, "apt-get", append([]string{"download", "--print-uris", "-qq"}, names...)...))
	if err != nil {
		return nil, fmt.Errorf("find Debian packages (has `apt-get update` been run?): %w", err)
	}
	var packages []debPackage
	for _, line := range strings.Split(strings.TrimSpace(uris), "\n") {
		fields := strings.Fields(line) // 'URI' name_version_arch.deb size SHA256:hex
		if len(fields) != 4 || !strings.HasPrefix(fields[3], "SHA256:") {
			return nil, fmt.Errorf("find Debian packages: apt-get answered %q, and no SHA256", line)
		}
		parts := strings.Split(strings.TrimSuffix(fields[1], ".deb"), "_")
		if len(parts) != 3 {
			return nil, fmt.Errorf("find Debian packages: apt-get answered the file name %q", fields[1])
		}
		version, err := url.PathUnescape(parts[1]) // an epoch's colon is %3a
		if err != nil {
			return nil, fmt.Errorf("find Debian packages: read the version in %q: %w", fields[1], err)
		}
		packages = append(packages, debPackage{Name: parts[0], Version: version, SHA256: strings.TrimPrefix(fields[3], "SHA256:")})
	}
	sort.Slice(packages, func(i, j int) bool { return packages[i].Name < packages[j].Name })
	if len(packages) != len(names) {
		return nil, fmt.Errorf("find Debian packages: asked for %d (%s), apt-get knows %d", len(names), strings.Join(names, " "), len(packages))
	}
	return packages, nil
}

func (d debian) path(p debPackage) string { return filepath.Join(d.pool, p.SHA256+".deb") }

// fetch downloads the packages that the pool lacks, and checks each against its sum.
func (d debian) fetch(ctx context.Context, packages []debPackage, moving func(string)) (err error) {
	var wanted []string
	for _, p := range packages {
		if _, err := os.Stat(d.path(p)); errors.Is(err, fs.ErrNotExist) {
			wanted = append(wanted, p.Name+"="+p.Version)
		}
	}
	if len(wanted) == 0 {
		return nil
	}
	if err := os.MkdirAll(d.pool, 0o755); err != nil {
		return err
	}
	scratch, err := os.MkdirTemp(d.pool, ".new-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(scratch)) }()
	moving(strings.Join(wanted, " "))
	// apt would drop to a user of its own, who may not write here.
	command := exec.CommandContext(ctx, "apt-get", append([]string{"download", "-qq", "-o", "APT::Sandbox::User=root"}, wanted...)...)
	command.Dir = scratch
	if err := run(command, nil); err != nil {
		return fmt.Errorf("fetch Debian packages: %w", err)
	}
	return d.keep(scratch, packages)
}

// keep moves what was downloaded into the pool, under the checksum that was promised.
func (d debian) keep(scratch string, packages []debPackage) error {
	files, err := filepath.Glob(filepath.Join(scratch, "*.deb"))
	if err != nil {
		return err
	}
	for _, file := range files {
		digest, _, err := hashFile(file)
		if err != nil {
			return err
		}
		if err := os.Rename(file, filepath.Join(d.pool, strings.TrimPrefix(digest, "sha256:")+".deb")); err != nil {
			return err
		}
	}
	for _, p := range packages {
		if _, err := os.Stat(d.path(p)); err != nil {
			return fmt.Errorf("fetch Debian package %s %s: what came has not the checksum %s that apt's list promises", p.Name, p.Version, p.SHA256)
		}
	}
	return nil
}

// depends reads the packages that a package needs, the first of each set of alternatives.
func (d debian) depends(ctx context.Context, p debPackage) ([]string, error) {
	fields, err := output(exec.CommandContext(ctx, "dpkg-deb", "-f", d.path(p), "Pre-Depends", "Depends"))
	if err != nil {
		return nil, fmt.Errorf("read what %s depends on: %w", p.Name, err)
	}
	return parseDepends(fields), nil
}

// parseDepends reads lines like "Depends: libc6 (>= 2.34), debconf (>= 0.5) | debconf-2.0".
func parseDepends(fields string) []string {
	var names []string
	for _, line := range strings.Split(fields, "\n") {
		_, list, found := strings.Cut(line, ":")
		if !found {
			continue
		}
		for _, alternatives := range strings.Split(list, ",") {
			first, _, _ := strings.Cut(alternatives, "|")
			name, _, _ := strings.Cut(strings.TrimSpace(first), " ")
			if name, _, _ = strings.Cut(name, ":"); name != "" { // without its architecture
				names = append(names, name)
			}
		}
	}
	return names
}

// multiarch is the folder of the shared libraries in Debian's words.
func multiarch(arch string) (string, error) {
	switch arch {
	case "amd64":
		return "x86_64-linux-gnu", nil
	case "arm64":
		return "aarch64-linux-gnu", nil
	default:
		return "", fmt.Errorf("no Debian libraries are known for %s", arch)
	}
}
