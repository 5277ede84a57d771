// Command slipway-agent is what Slipway runs on a host: it observes and changes the machine that
// it runs on, as it is asked over its stdin and stdout. slipway puts it there and starts it over SSH.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/slipway-k8s/slipway/hosts/agent"
	"github.com/slipway-k8s/slipway/hosts/local"
)

// version is set when building, and has to be that of the slipway at the other end.
var version = "dev"

const exitUsage = 2 // as slipway's own

func main() {
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr, serve))
}

// run carries the command line out, and gives the exit code.
func run(args []string, out, errs io.Writer, serve func(inbox, parts string) error) int {
	flags := flag.NewFlagSet("slipway-agent", flag.ContinueOnError)
	flags.SetOutput(errs)
	inbox := flags.String("inbox", "", "the folder that large blobs are put into")
	parts := flags.String("parts", "", "the agent's own folder that blobs are put together in")
	shown := flags.Bool("version", false, "print the version")
	err := flags.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil: // which is told
		return exitUsage
	case flags.NArg() > 0:
		fmt.Fprintf(errs, "slipway-agent: it takes no arguments, and was given %q\n", flags.Arg(0))
		return exitUsage
	case *shown:
		fmt.Fprintln(out, "slipway-agent", version)
		return 0
	}
	if err := serve(*inbox, *parts); err != nil {
		fmt.Fprintln(errs, "slipway-agent:", err)
		return 1
	}
	return 0
}

func serve(inbox, parts string) error {
	// The operator's going away must not end an action in the middle: an end of stdin tells
	// of it, and a pipe that nobody reads is an error like others.
	signal.Ignore(syscall.SIGPIPE, syscall.SIGHUP)
	// What a library or another program makes for the agent does not depend on the start
	// file of somebody's login shell.
	syscall.Umask(0o022)
	ctx, stop := untilToldToEnd()
	defer stop()
	host, err := local.New(local.Options{})
	if err != nil {
		return err
	}
	err = agent.Serve(ctx, host, os.Stdin, os.Stdout, agent.ServeOptions{Version: version, Inbox: inbox, Parts: parts, Log: os.Stderr})
	return errors.Join(err, host.Close())
}

// untilToldToEnd ends with the first SIGTERM, and takes the second as well: systemd ends the
// agent and the sudo that started it, which passes its own on. Whatever comes, the agent takes
// the time that an action needs to get to its next safe point, and Serve bounds that.
func untilToldToEnd() (context.Context, context.CancelFunc) {
	return signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
}
