// Command containerd is containerd with its client in one binary: started under the
// name of ctr, as through a symbolic link, it is that client, and else the daemon. The
// shim is a program of its own, since one of it runs for every Pod and has to be small.
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	_ "github.com/containerd/containerd/v2/cmd/containerd/builtins"
	"github.com/containerd/containerd/v2/cmd/containerd/command"
	"github.com/containerd/containerd/v2/cmd/ctr/app"
)

func main() {
	name, run := "containerd", func(ctx context.Context) error { return command.App().Run(ctx, os.Args) }
	if filepath.Base(os.Args[0]) == "ctr" {
		name, run = "ctr", func(ctx context.Context) error { return app.New().Run(ctx, os.Args) }
	}
	if err := run(context.Background()); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		os.Exit(1)
	}
}
