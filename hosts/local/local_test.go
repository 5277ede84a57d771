//go:build linux

package local

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// TestContainerdsCancellationIsOne: an interrupt in the middle of what containerd does must
// not look like a failure of it, and a failure not like an interrupt.
func TestContainerdsCancellationIsOne(t *testing.T) {
	ended, end := context.WithCancel(t.Context())
	end()
	grpcs := fmt.Errorf("stop container: %w", status.Error(codes.Canceled, "context canceled"))
	for _, test := range []struct {
		ctx  context.Context
		err  error
		want bool
	}{
		{ended, grpcs, true},
		{t.Context(), grpcs, false},
		{ended, status.Error(codes.NotFound, "no such container"), false},
		{ended, errors.New("disk full"), false},
	} {
		got := orCanceled(test.ctx, test.err)
		if errors.Is(got, context.Canceled) != test.want || !errors.Is(got, test.err) {
			t.Errorf("%v becomes %v", test.err, got)
		}
	}
}
