//go:build !linux

package lab

import (
	"context"
	"io"
	"net"
)

func checkMachine() error { return ErrUnsupported }

// Main has nothing to become here.
func Main() {}

// Up needs Linux.
func Up(context.Context, Options) (*Lab, error) { return nil, ErrUnsupported }

// Down needs Linux.
func Down(context.Context, string, string) error { return ErrUnsupported }

// Down needs Linux.
func (l *Lab) Down(context.Context) error { return ErrUnsupported }

// Hosts needs Linux.
func (l *Lab) Hosts() ([]Host, error) { return nil, ErrUnsupported }

// Exec needs Linux.
func (l *Lab) Exec(context.Context, string, io.Reader, ...string) (Result, error) {
	return Result{}, ErrUnsupported
}

// Run needs Linux.
func (l *Lab) Run(context.Context, string, Streams, ...string) (int, error) {
	return 0, ErrUnsupported
}

// Dial needs Linux.
func (l *Lab) Dial(context.Context, string, io.Reader, io.Writer) error { return ErrUnsupported }

// DialContext needs Linux.
func (l *Lab) DialContext(context.Context, string, string) (net.Conn, error) {
	return nil, ErrUnsupported
}

// Start needs Linux.
func (l *Lab) Start(context.Context, ...string) error { return ErrUnsupported }

// Stop needs Linux.
func (l *Lab) Stop(context.Context, ...string) error { return ErrUnsupported }

// Kill needs Linux.
func (l *Lab) Kill(context.Context, ...string) error { return ErrUnsupported }

// Link needs Linux.
func (l *Lab) Link(context.Context, string, bool) error { return ErrUnsupported }
