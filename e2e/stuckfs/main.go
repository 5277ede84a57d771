//go:build linux

// Command stuckfs mounts a file system over a folder that never answers, as that of a
// server which is away, until it is told to end.
package main

import (
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: stuckfs FOLDER")
		os.Exit(2)
	}
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "stuckfs:", err)
		os.Exit(1)
	}
}

func run(folder string) error {
	device, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0)
	if err != nil {
		return err
	}
	options := fmt.Sprintf("fd=%d,rootmode=40000,user_id=0,group_id=0", device.Fd())
	if err := unix.Mount("stuck", folder, "fuse", 0, options); err != nil {
		return fmt.Errorf("mount over %s: %w", folder, err)
	}
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGTERM, os.Interrupt)
	<-ended
	_ = device.Close() // whoever waits is told that nobody is there
	return unix.Unmount(folder, unix.MNT_DETACH)
}
