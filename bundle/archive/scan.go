package archive

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
)

// maxEntries bounds what a file can make the reader remember.
const maxEntries = 100_000

// scan finds where every entry of the tar lies, by its headers alone: between them it
// seeks. cut says that the tar ends before it should; what came before is still given,
// so that the caller can tell a cut bundle from a file that never was one.
func scan(file io.ReaderAt, size int64) (entries map[string]section, cut bool, err error) {
	at := &cursor{SectionReader: io.NewSectionReader(file, 0, size)}
	reader := tar.NewReader(at)
	entries = map[string]section{}
	for {
		header, err := reader.Next()
		switch {
		case errors.Is(err, io.EOF):
			return entries, false, nil
		case errors.Is(err, io.ErrUnexpectedEOF) && len(entries) > 0:
			return entries, true, nil
		case err != nil:
			return nil, false, fmt.Errorf("%w: %w", ErrNotBundle, err)
		}
		if len(entries) == maxEntries {
			return nil, false, fmt.Errorf("%w: more than %d entries", ErrNotBundle, maxEntries)
		}
		if header.Typeflag != tar.TypeReg {
			continue
		}
		if header.Size > size-at.position {
			return entries, true, nil
		}
		entries[entryName(header.Name)] = section{offset: at.position, size: header.Size}
	}
}

// entryName brings "./index.json", as some tars have it, and "index.json" together.
func entryName(name string) string {
	return strings.TrimPrefix(path.Clean(name), "/")
}

// cursor knows where the tar reader stands: right behind a header when Next returns,
// since the tar reader reads in whole blocks and does not read ahead.
type cursor struct {
	*io.SectionReader
	position int64
}

func (c *cursor) Read(p []byte) (int, error) {
	n, err := c.SectionReader.Read(p)
	c.position += int64(n)
	return n, err
}

func (c *cursor) Seek(offset int64, whence int) (int64, error) {
	position, err := c.SectionReader.Seek(offset, whence)
	if err == nil {
		c.position = position
	}
	return position, err
}
