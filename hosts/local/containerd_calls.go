//go:build linux

package local

import (
	"context"
	"fmt"
	"path"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// containerdTimeout is how long containerd may take for one answer.
const containerdTimeout = 30 * time.Second

// applying is the call that unpacks a layer.
const applying = "/containerd.services.diff.v1.Diff/Apply"

// atDisk are the calls that take as long as the disk needs: it may still be writing what
// was unpacked before. They are bounded by the caller's timeout alone.
var atDisk = map[string]bool{
	applying: true,
	"/containerd.services.snapshots.v1.Snapshots/Prepare": true,
	"/containerd.services.snapshots.v1.Snapshots/Commit":  true,
	"/containerd.services.images.v1.Images/Delete":        true, // with all that was unpacked of it
}

type appliedKey struct{}

// tellingApplied is a context whose calls of containerd tell each layer that was unpacked.
func tellingApplied(ctx context.Context, applied func()) context.Context {
	return context.WithValue(ctx, appliedKey{}, applied)
}

// silenceError is a call that got no answer in time.
type silenceError struct {
	who   string
	call  string
	after time.Duration
}

func (e *silenceError) Error() string {
	return fmt.Sprintf("%s does not answer: no answer to %s within %s", e.who, e.call, e.after)
}

// Unwrap keeps it a call whose time was over, and GRPCStatus does so for containerd's client.
func (e *silenceError) Unwrap() error { return context.DeadlineExceeded }

// GRPCStatus is what gRPC's users take it for.
func (e *silenceError) GRPCStatus() *status.Status {
	return status.New(codes.DeadlineExceeded, e.Error())
}

// callContainerd bounds a call of containerd. The error of one that ends by a deadline, ours or
// the caller's, says who did not answer.
func callContainerd(ctx context.Context, method string, request, reply any, conn *grpc.ClientConn,
	invoke grpc.UnaryInvoker, options ...grpc.CallOption,
) error {
	began := time.Now()
	within := ctx
	if !atDisk[method] {
		var cancel context.CancelFunc
		within, cancel = context.WithTimeout(ctx, containerdTimeout)
		defer cancel()
	}
	err := invoke(within, method, request, reply, conn, options...)
	if applied, asked := ctx.Value(appliedKey{}).(func()); asked && err == nil && method == applying {
		applied()
	}
	return named(within, err, method, began)
}

// streamContainerd is callContainerd for a stream of answers, which has no bound but its caller's.
func streamContainerd(ctx context.Context, desc *grpc.StreamDesc, conn *grpc.ClientConn, method string,
	open grpc.Streamer, options ...grpc.CallOption,
) (grpc.ClientStream, error) {
	began := time.Now()
	stream, err := open(ctx, desc, conn, method, options...)
	if err != nil {
		return nil, named(ctx, err, method, began)
	}
	return &namedStream{stream, method, began}, nil
}

type namedStream struct {
	grpc.ClientStream
	method string
	began  time.Time
}

func (s *namedStream) RecvMsg(message any) error {
	return named(s.Context(), s.ClientStream.RecvMsg(message), s.method, s.began)
}

// named says of a call that ended by its deadline who did not answer.
func named(ctx context.Context, err error, method string, began time.Time) error {
	if status.Code(err) != codes.DeadlineExceeded || ctx.Err() == nil {
		return err
	}
	return &silenceError{who: "containerd", call: path.Base(method), after: time.Since(began).Round(time.Second / 10)}
}
