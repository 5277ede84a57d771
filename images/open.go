package images

import (
	"context"
	"os"
)

// stoppable is an open file that reads until its context ends: reading a large image takes
// long. It has only these methods, so that no method of the file reads past the context.
type stoppable struct {
	ctx  context.Context
	file *os.File
}

func open(ctx context.Context, path string) (*stoppable, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	return &stoppable{ctx: ctx, file: file}, nil
}

func (s *stoppable) Read(into []byte) (int, error) {
	if err := s.ctx.Err(); err != nil {
		return 0, err
	}
	return s.file.Read(into)
}

func (s *stoppable) Seek(offset int64, whence int) (int64, error) {
	return s.file.Seek(offset, whence)
}

func (s *stoppable) Close() error { return s.file.Close() }
