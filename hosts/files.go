package hosts

import "fmt"

var _ = register(WriteFile{}, MakeDirectory{}, MakeSymlink{}, RemovePath{}, Unpack{}, Unmount{})

// WriteFile puts content at a path: written beside it, synced, renamed.
type WriteFile struct {
	Path    string `json:"path"`
	Mode    uint32 `json:"mode"`
	UID     int    `json:"uid,omitempty"`
	GID     int    `json:"gid,omitempty"`
	Content string `json:"content"` // a Blob's Ref
	Size    int64  `json:"size"`
	Secret  bool   `json:"secret,omitempty"`
	// Seed writes only where nothing is; afterwards the file belongs to its maintainer.
	Seed bool `json:"seed,omitempty"`
	// Kept, if set, is the Before of the KeepVersion that has kept the content: it is on the host
	// already, and Content is its digest.
	Kept string `json:"kept,omitempty"`
}

func (a WriteFile) describe() Description {
	d := Description{Kind: "write-file", Deed: "write " + a.Path, Detail: attributes(a.Mode, a.UID, a.GID)}
	if a.Kept == "" {
		d.Refs = []string{a.Content}
	} else {
		d.Deed = "put back " + a.Path
	}
	return d
}

// MakeDirectory makes a directory, and its parents with mode 0755.
type MakeDirectory struct {
	Path string `json:"path"`
	Mode uint32 `json:"mode"`
	UID  int    `json:"uid,omitempty"`
	GID  int    `json:"gid,omitempty"`
}

func (a MakeDirectory) describe() Description {
	return Description{Kind: "make-directory", Deed: "make directory " + a.Path, Detail: attributes(a.Mode, a.UID, a.GID)}
}

func attributes(mode uint32, uid, gid int) string {
	if uid == 0 && gid == 0 {
		return fmt.Sprintf(" (%04o)", mode)
	}
	return fmt.Sprintf(" (%04o %d:%d)", mode, uid, gid)
}

// MakeSymlink makes a symbolic link.
type MakeSymlink struct {
	Path   string `json:"path"`
	Target string `json:"target"`
	Seed   bool   `json:"seed,omitempty"`
}

func (a MakeSymlink) describe() Description {
	return Description{Kind: "make-symlink", Deed: "link " + a.Path, Detail: " to " + a.Target}
}

// RemovePath removes a file, link or, with Recursive, a directory and all below it.
// It never crosses into another file system, and unmounts nothing. A unit whose file goes is no
// longer on record, and systemd reads its unit files again.
type RemovePath struct {
	Path      string `json:"path"`
	Recursive bool   `json:"recursive,omitempty"`
	// IfEmpty removes a directory only when nothing is left in it.
	IfEmpty bool `json:"ifEmpty,omitempty"`
	// Digest, if set, is what a file has to be: one that was changed since is left, and that is
	// an error.
	Digest string `json:"digest,omitempty"`
}

func (a RemovePath) describe() Description {
	d := Description{Kind: "remove-path", Deed: "remove " + a.Path}
	switch {
	case a.Recursive:
		d.Detail = " and all below it"
	case a.IfEmpty:
		d.Detail = " if empty"
	}
	return d
}

// Unpack puts the files of one set of the bundle in place: out of its layers, or as links to and
// copies of what lies on the host already.
type Unpack struct {
	Set   string       `json:"set"`
	Files []UnpackFile `json:"files"`
}

// UnpackFile is one file or link of a set.
type UnpackFile struct {
	Path   string `json:"path"`
	Layer  string `json:"layer,omitempty"` // digest of the layer's blob
	Entry  string `json:"entry,omitempty"` // its path in the layer
	Digest string `json:"digest,omitempty"`
	Size   int64  `json:"size,omitempty"`
	Mode   uint32 `json:"mode,omitempty"`
	Target string `json:"target,omitempty"`
	From   string `json:"from,omitempty"` // the path of what it is a copy of
}

func (a Unpack) describe() Description {
	d := Description{Kind: "unpack", Deed: "unpack " + a.Set}
	var size int64
	for _, file := range a.Files {
		size += file.Size
		if file.Layer != "" {
			d.Refs = append(d.Refs, file.Layer)
		}
	}
	d.Detail = fmt.Sprintf(" (%s, %s)", Count(len(a.Files), "file"), Size(size))
	if len(d.Refs) == 0 { // it is all there already
		d.Deed, d.Detail = "activate "+a.Set, fmt.Sprintf(" (%s)", Count(len(a.Files), "file"))
	}
	return d
}

// Unmount unmounts all that is mounted below a path.
type Unmount struct {
	Below string `json:"below"`
}

func (a Unmount) describe() Description {
	return Description{Kind: "unmount", Deed: "unmount all below " + a.Below}
}
