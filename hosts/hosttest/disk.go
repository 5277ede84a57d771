package hosttest

import (
	"io"
	"io/fs"
	"os"
	"sync"

	"github.com/pkg/sftp"
)

// disk is this machine's files as SFTP shows them, with a limit to the space for writing; 0 is no limit.
type disk struct {
	mutex   sync.Mutex
	space   int64
	written int64
}

func (d *disk) Fileread(r *sftp.Request) (io.ReaderAt, error) { return os.Open(r.Filepath) }

func (d *disk) Filewrite(r *sftp.Request) (io.WriterAt, error) {
	flags := r.Pflags()
	how := os.O_WRONLY
	if flags.Creat {
		how |= os.O_CREATE
	}
	if flags.Excl {
		how |= os.O_EXCL
	}
	if flags.Trunc {
		how |= os.O_TRUNC
	}
	file, err := os.OpenFile(r.Filepath, how, 0o644)
	if err != nil {
		return nil, err
	}
	return &diskFile{File: file, disk: d}, nil
}

// diskFile is a file that is being written.
type diskFile struct {
	*os.File
	disk *disk
}

func (f *diskFile) WriteAt(p []byte, offset int64) (int, error) {
	if !f.disk.take(int64(len(p))) {
		return 0, sftp.ErrSSHFxFailure // all that SFTP can say of a full disk
	}
	return f.File.WriteAt(p, offset)
}

func (d *disk) take(n int64) bool {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	if d.space > 0 && d.written+n > d.space {
		d.written = d.space
		return false
	}
	d.written += n
	return true
}

// StatVFS tells what is left, in blocks of one byte.
func (d *disk) StatVFS(*sftp.Request) (*sftp.StatVFS, error) {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	free := uint64(1 << 40)
	if d.space > 0 {
		free = uint64(d.space - d.written)
	}
	return &sftp.StatVFS{Bsize: 1, Frsize: 1, Blocks: 1 << 40, Bfree: free, Bavail: free, Namemax: 255}, nil
}

func (d *disk) PosixRename(r *sftp.Request) error { return os.Rename(r.Filepath, r.Target) }

func (d *disk) Filecmd(r *sftp.Request) error {
	switch r.Method {
	case "Setstat":
		return setstat(r)
	case "Rename":
		return os.Rename(r.Filepath, r.Target)
	case "Remove":
		return os.Remove(r.Filepath)
	case "Rmdir":
		return os.Remove(r.Filepath)
	case "Mkdir":
		return os.Mkdir(r.Filepath, 0o755)
	default:
		return sftp.ErrSSHFxOpUnsupported
	}
}

func setstat(r *sftp.Request) error {
	attributes, flags := r.Attributes(), r.AttrFlags()
	if flags.Permissions {
		if err := os.Chmod(r.Filepath, attributes.FileMode().Perm()); err != nil {
			return err
		}
	}
	if flags.Size {
		return os.Truncate(r.Filepath, int64(attributes.Size))
	}
	return nil
}

func (d *disk) Filelist(r *sftp.Request) (sftp.ListerAt, error) {
	if r.Method != "List" {
		info, err := os.Stat(r.Filepath)
		return listing{info}, err
	}
	entries, err := os.ReadDir(r.Filepath)
	if err != nil {
		return nil, err
	}
	var found listing
	for _, entry := range entries {
		if info, err := entry.Info(); err == nil {
			found = append(found, info)
		}
	}
	return found, nil
}

// Lstat follows no link.
func (d *disk) Lstat(r *sftp.Request) (sftp.ListerAt, error) {
	info, err := os.Lstat(r.Filepath)
	return listing{info}, err
}

type listing []fs.FileInfo

func (l listing) ListAt(into []fs.FileInfo, offset int64) (int, error) {
	if offset >= int64(len(l)) {
		return 0, io.EOF
	}
	n := copy(into, l[offset:])
	if n < len(into) {
		return n, io.EOF
	}
	return n, nil
}
