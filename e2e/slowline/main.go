// Command slowline is a proxyCommand for hosts that are far away: it runs another command and makes the way to
// it and back as slow, distant and lossy as said. The kernels that the tests run on have no netem.
//
//	slowline -delay 150ms -rate 2000000 -loss 0.01 -- slipway lab dial --name try %h %p
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/slipway-k8s/slipway/hosts/hosttest/slowline"
)

func main() {
	delay := flag.Duration("delay", 150*time.Millisecond, "how long a byte is on its way, in each direction")
	rate := flag.Int64("rate", 2_000_000, "bits a second, in each direction; 0: any number")
	loss := flag.Float64("loss", 0.01, "the share of packets that are lost")
	after := flag.Duration("cut-after", 0, "ends the connection then, as a line does that is cut; 0: never")
	counts := flag.String("count", "", "a folder that gets, for each connection, a file with the bytes that went there and back")
	flag.Usage = func() {
		fmt.Fprintf(flag.CommandLine.Output(), "usage: slowline [flags] -- COMMAND ARGUMENT...\n")
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() == 0 {
		flag.Usage()
		os.Exit(2)
	}
	ctx, cancel := context.WithCancel(context.Background())
	if *after > 0 {
		ctx, cancel = context.WithTimeout(ctx, *after)
	}
	defer cancel()
	out := &slowline.Line{Delay: *delay, Rate: *rate / 8, Loss: *loss}
	back := &slowline.Line{Delay: *delay, Rate: *rate / 8, Loss: *loss}
	if *counts != "" {
		go func() { // whoever runs a proxyCommand may kill it
			for ; ; time.Sleep(time.Second / 2) {
				_ = count(*counts, out, back)
			}
		}()
	}
	err := carry(ctx, flag.Args(), out, back)
	if *counts != "" {
		err = errors.Join(err, count(*counts, out, back))
	}
	if err != nil && ctx.Err() == nil {
		fmt.Fprintf(os.Stderr, "slowline: %s: %v\n", strings.Join(flag.Args(), " "), err)
		os.Exit(1)
	}
}

// carry runs the command behind the two lines until it ends.
func carry(ctx context.Context, argv []string, out, back *slowline.Line) error {
	command := exec.CommandContext(ctx, argv[0], argv[1:]...)
	command.Stderr = os.Stderr
	in, err := command.StdinPipe()
	if err != nil {
		return err
	}
	from, err := command.StdoutPipe()
	if err != nil {
		return err
	}
	if err := command.Start(); err != nil {
		return err
	}
	go func() {
		_ = out.Copy(in, os.Stdin)
		_ = in.Close()
	}()
	copied := back.Copy(os.Stdout, from)
	if errors.Is(copied, io.ErrClosedPipe) || errors.Is(copied, os.ErrClosed) {
		copied = nil
	}
	return errors.Join(copied, command.Wait())
}

var counting sync.Mutex

// count says in a file of this process' own how much went over the lines.
func count(folder string, out, back *slowline.Line) error {
	counting.Lock()
	defer counting.Unlock()
	path := filepath.Join(folder, strconv.Itoa(os.Getpid()))
	next := path + ".next"
	if err := os.WriteFile(next, fmt.Appendf(nil, "%d %d\n", out.Moved(), back.Moved()), 0o644); err != nil {
		return err
	}
	return os.Rename(next, path)
}
