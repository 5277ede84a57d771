package hosts

import (
	"errors"
	"fmt"
	"path"
	"regexp"
	"strings"
	"time"
)

var _ = register(KeepVersion{}, ForgetVersion{})

// KeepVersion saves, before the first change of an upgrade, what is in force on a host: of each path
// the type, mode and owner, of a file the content too. It is kept whole or not at all, and what is
// kept already stays as it is: an upgrade that is resumed half-way finds files of both versions.
// What is put back later is written by WriteFile with Kept, and by MakeSymlink and RemovePath.
type KeepVersion struct {
	// Before is the id of the bundle that is coming: a-z, 0-9, dot, plus, minus.
	Before  string `json:"before"`
	Version string `json:"version"` // the Kubernetes version that is in force, with a leading v
	// Paths are files and links; where nothing lies, that is kept too. None may hold a secret.
	Paths []string `json:"paths"`
	// Images and Folders are what the version needs beside them and what stays on the host for it: the digests
	// of images' manifests by full reference, and the folders of its components.
	Images  map[string]string `json:"images,omitempty"`
	Folders []string          `json:"folders,omitempty"`
}

func (a KeepVersion) describe() Description {
	return Description{
		Kind: "keep-version", Deed: "keep what is in force of " + a.Version,
		Detail: fmt.Sprintf(" (%s, before %s)", Count(len(a.Paths), "path"), a.Before),
	}
}

// Check refuses what cannot be the id of a bundle, and files that hold secrets by what they are. What
// Slipway itself wrote as a secret, the host knows by its record.
func (a KeepVersion) Check() error {
	if err := CheckBefore(a.Before); err != nil {
		return err
	}
	for _, file := range a.Paths {
		if holdsSecrets(file) {
			return fmt.Errorf("%s may hold a secret, which is kept nowhere but in its own place", file)
		}
	}
	return nil
}

// holdsSecrets tells whether a path is that of a key, of a folder of keys, or of a kubeconfig.
func holdsSecrets(file string) bool {
	file = path.Clean(file)
	for _, folder := range []string{"/etc/kubernetes/pki", "/var/lib/kubelet/pki", "/root/.kube"} {
		if file == folder || strings.HasPrefix(file, folder+"/") {
			return true
		}
	}
	kubeconfig := path.Dir(file) == "/etc/kubernetes" && path.Ext(file) == ".conf"
	return kubeconfig || path.Ext(file) == ".key"
}

// ForgetVersion removes what KeepVersion has kept: it cannot be gone back to any more.
type ForgetVersion struct {
	Before string `json:"before"`
}

func (a ForgetVersion) describe() Description {
	return Description{Kind: "forget-version", Deed: "forget what was in force before " + a.Before}
}

var beforeID = regexp.MustCompile(`^[a-z0-9][a-z0-9.+-]{0,127}$`)

// CheckBefore refuses what cannot be the id of a bundle, and the name of a folder on a host.
func CheckBefore(id string) error {
	if !beforeID.MatchString(id) {
		return fmt.Errorf("the bundle's id %q is not made of a-z, 0-9, dot, plus and minus", id)
	}
	return nil
}

// Kept is what was in force on a host before a bundle came.
type Kept struct {
	Before  string            `json:"before"`  // the id of the bundle that came
	Version string            `json:"version"` // the Kubernetes version that was in force, with a leading v
	At      time.Time         `json:"at"`
	Paths   []KeptPath        `json:"paths"`
	Images  map[string]string `json:"images,omitempty"` // as KeepVersion's
	Folders []string          `json:"folders,omitempty"`
}

// KeptPath is what lay at one path.
type KeptPath struct {
	Path   string   `json:"path"`
	Absent bool     `json:"absent,omitempty"` // nothing lay there
	Type   FileType `json:"type,omitempty"`   // a file or a symbolic link
	Mode   uint32   `json:"mode,omitempty"`
	UID    int      `json:"uid,omitempty"`
	GID    int      `json:"gid,omitempty"`
	Size   int64    `json:"size,omitempty"`
	Digest string   `json:"digest,omitempty"` // sha256:<hex>, of a file
	Target string   `json:"target,omitempty"` // of a link
}

// Check finds what a description of a kept version lacks to be one of the bundle's id.
func (k Kept) Check(before string) error {
	if k.Before != before {
		return fmt.Errorf("it is that of %q", k.Before)
	}
	for _, kept := range k.Paths {
		digest, isDigest := strings.CutPrefix(kept.Digest, "sha256:")
		switch {
		case kept.Path == "":
			return errors.New("it has an entry without a path")
		case kept.Absent || kept.Type == TypeSymlink:
		case kept.Type != TypeFile:
			return fmt.Errorf("%s is a %q", kept.Path, kept.Type)
		case !isDigest || len(digest) != 64:
			return fmt.Errorf("%s has no digest", kept.Path)
		}
	}
	return nil
}

// KeptFolder is where a host keeps what was in force before a bundle came. KeptContent is where in it
// the content of that digest lies.
func KeptFolder(before string) string { return "/var/lib/slipway/kept/" + before }

// KeptContent is the path of the content of a digest (sha256:<hex>).
func KeptContent(before, digest string) string {
	return KeptFolder(before) + "/files/" + strings.TrimPrefix(digest, "sha256:")
}
