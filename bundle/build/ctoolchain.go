package build

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os/exec"
	"path/filepath"
	"strings"
)

// The packages that cgo needs: a compiler, and the static libraries that become part of
// runc.
const compilerPackage = "gcc"

var libraryPackages = []string{"libc6-dev", "libseccomp-dev"}

// cToolchain tells the installed versions of what cgo compiles with and links in.
func cToolchain(ctx context.Context) (compiler debPackage, libraries []debPackage, err error) {
	names := append([]string{compilerPackage}, libraryPackages...)
	missing := fmt.Errorf("find the C compiler and libraries: install the packages %s", strings.Join(names, " "))
	listed, err := output(exec.CommandContext(ctx, "dpkg-query", append([]string{"-W", "-f", "${db:Status-Status} ${Package} ${Version}\n"}, names...)...))
	if err != nil {
		return compiler, nil, fmt.Errorf("%w: %w", missing, err)
	}
	for _, line := range strings.Split(strings.TrimSpace(listed), "\n") {
		fields := strings.Fields(line)
		if len(fields) != 3 || fields[0] != "installed" {
			return compiler, nil, missing
		}
		found := debPackage{Name: fields[1], Version: fields[2]}
		if found.Name == compilerPackage {
			compiler = found
		} else {
			libraries = append(libraries, found)
		}
	}
	return compiler, libraries, nil
}

// describeLibraries adds what the bill says of a library beside its version, and copies
// its licence. A checksum is known where apt's lists still have that version.
func describeLibraries(ctx context.Context, libraries []debPackage, licences string) ([]debPackage, error) {
	described := make([]debPackage, 0, len(libraries))
	for _, library := range libraries {
		library.License = debLicences[library.Name]
		record, err := output(exec.CommandContext(ctx, "apt-cache", "show", library.Name+"="+library.Version))
		if err == nil {
			library.SHA256 = field(record, "SHA256")
		} else if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		text := filepath.Join("/usr/share/doc", library.Name, "copyright")
		if err := copyFile(text, filepath.Join(licences, library.Name, "copyright")); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("copy the licence of %s: %w", library.Name, err)
		}
		described = append(described, library)
	}
	return described, nil
}

// field reads one field of a package's record.
func field(record, name string) string {
	for _, line := range strings.Split(record, "\n") {
		if value, found := strings.CutPrefix(line, name+": "); found {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
