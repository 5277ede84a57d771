package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
)

// What a child of this program may be told to become, by its argv[0].
const (
	roleHost  = "slipway-lab-host"  // the init of a lab host
	roleWatch = "slipway-lab-watch" // who started a host's init, and boots it again
	roleBuild = "slipway-lab-build" // the builder of the hosts' root
	roleVM    = "slipway-lab-vm"    // a virtual machine
	roleDisk  = "slipway-lab-disk"  // the maker of a virtual machine's disk
)

// childVariable marks a child: one that begins to boot hosts itself was started by a
// program that does not call Main, and must not go on.
const childVariable = "SLIPWAY_LAB_CHILD"

// Main returns at once unless this process was started by this package to become
// something else; then it never returns. Programs that boot labs call it first of all.
func Main() {
	var err error
	switch os.Args[0] {
	case roleHost:
		err = hostMain()
	case roleWatch:
		err = watchMain(os.Args[1], os.Args[2])
	case roleBuild:
		err = buildMain(os.Args[1:])
	case roleVM:
		err = machineMain()
	case roleDisk:
		err = diskMain(os.Args[1:])
	default:
		return
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// testOnlyAt is told of the moments between two deeds of Up, for tests that crash there.
var testOnlyAt = func(moment string) {}

// reexec is a command that starts this program again in another role.
func reexec(ctx context.Context, role string, args ...string) (*exec.Cmd, error) {
	if os.Getenv(childVariable) != "" {
		return nil, errors.New("this program boots labs, but does not call lab.Main first")
	}
	cmd := exec.CommandContext(ctx, "/proc/self/exe")
	cmd.Args = append([]string{role}, args...)
	cmd.Env = append(os.Environ(), childVariable+"=1")
	return cmd, nil
}
