package build

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strconv"
	"strings"

	"github.com/klauspost/compress/zstd"
)

// compressor makes zstd frames that any reader takes: no window beyond what the level
// itself has, so never --long.
type compressor struct {
	program string // the zstd program; empty: Go's own, which reaches about its level 11
	version string
	level   int
}

// The levels: fast is for trying things out.
const (
	levelBest = 19
	levelFast = 3
)

// newCompressor prefers the zstd program, which is better than Go's by a tenth.
func newCompressor(ctx context.Context, fast bool) compressor {
	c := compressor{level: levelBest}
	if fast {
		c.level = levelFast
	}
	path, err := exec.LookPath("zstd")
	if err != nil {
		return c
	}
	version, err := output(exec.CommandContext(ctx, path, "--version"))
	if err != nil {
		return c
	}
	c.program, c.version = path, strings.TrimSpace(version)
	return c
}

// identity is what makes two compressors give the same bytes.
func (c compressor) identity() string {
	if c.program == "" {
		return "zstd in Go, level " + strconv.Itoa(c.level)
	}
	return "zstd -" + strconv.Itoa(c.level) + " " + c.version
}

func (c compressor) start(ctx context.Context, out io.Writer) (io.WriteCloser, error) {
	if c.program == "" {
		return zstd.NewWriter(out, zstd.WithEncoderLevel(zstd.EncoderLevelFromZstd(c.level)), zstd.WithEncoderConcurrency(1))
	}
	// The number of threads does not change the bytes, only whether there are any.
	command := exec.CommandContext(ctx, c.program, "-q", "-c", "-T0", "-"+strconv.Itoa(c.level))
	command.Stdout = out
	var complaint strings.Builder
	command.Stderr = &complaint
	in, err := command.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := command.Start(); err != nil {
		return nil, fmt.Errorf("start zstd: %w", err)
	}
	return &compressing{WriteCloser: in, command: command, complaint: &complaint}, nil
}

// compressing is a running zstd; Close waits for its last byte.
type compressing struct {
	io.WriteCloser
	command   *exec.Cmd
	complaint *strings.Builder
}

func (c *compressing) Close() error {
	err := errors.Join(c.WriteCloser.Close(), c.command.Wait())
	if err != nil {
		return fmt.Errorf("zstd: %w: %s", err, strings.TrimSpace(c.complaint.String()))
	}
	return nil
}
