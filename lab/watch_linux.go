package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// A host's init has a watch: the process that started it, and that boots the host again where it has
// rebooted, as a machine does by itself. Why an init has ended only the one who started it can tell.

// The file descriptors that a watch begins with; the first three are for the init.
const (
	watchSpec   = specDescriptor
	watchReport = errorDescriptor
	watchLock   = lockDescriptor
	watchBorn   = 6 // the init's PID goes in here
)

// startWatch starts a watch, and gives the init that it has started.
func (s *session) startWatch(host string, log, spec, report *os.File) (process, error) {
	cmd, err := reexec(context.Background(), roleWatch, s.lab.dir, host)
	if err != nil {
		return process{}, err
	}
	born, bornIn, err := os.Pipe()
	if err != nil {
		return process{}, err
	}
	defer born.Close()
	cmd.Stdout, cmd.Stderr = log, log
	cmd.ExtraFiles = []*os.File{spec, report, s.lock, bornIn}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // a Ctrl-C at the terminal is not meant for the host
	err = cmd.Start()
	_ = bornIn.Close()
	if err != nil {
		return process{}, err
	}
	go func() { _ = cmd.Wait() }() // reap it, should this program outlive the host
	told, err := io.ReadAll(born)
	if err != nil {
		return process{}, err
	}
	pid, err := strconv.Atoi(string(told))
	if err != nil {
		return process{}, errors.New("its first process was not started: see " + log.Name())
	}
	return findProcess(pid)
}

// watchMain starts a host's init, waits for its end, and boots the host again after a reboot.
func watchMain(dir, host string) error {
	if err := os.Unsetenv(childVariable); err != nil { // it starts this program again
		return err
	}
	for _, descriptor := range []int{watchSpec, watchReport, watchLock, watchBorn} { // the init gets its own of what is for it
		unix.CloseOnExec(descriptor)
	}
	spec, report, lock := os.NewFile(watchSpec, "spec"), os.NewFile(watchReport, "error"), os.NewFile(watchLock, "lock")
	born := os.NewFile(watchBorn, "born")
	init, err := startHost(dir, spec, report, lock)
	if err != nil {
		return err
	}
	started, err := findProcess(init.Process.Pid)
	if err == nil {
		_, err = fmt.Fprint(born, started.pid)
	}
	if err := errors.Join(err, spec.Close(), report.Close(), lock.Close(), born.Close()); err != nil {
		return err
	}
	if _, failed := errors.AsType[*exec.ExitError](init.Wait()); !failed || !rebooted(init.ProcessState) {
		return nil
	}
	return bootAgain(&Lab{name: filepath.Base(dir), dir: dir}, host, started)
}

// startHost starts the first process of a host, in namespaces of its own. The lab's folder
// is among its arguments, for who reads a list of processes.
func startHost(dir string, spec, report, lock *os.File) (*exec.Cmd, error) {
	cmd, err := reexec(context.Background(), roleHost, dir)
	if err != nil {
		return nil, err
	}
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.ExtraFiles = []*os.File{spec, report, lock}
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC | unix.CLONE_NEWPID | unix.CLONE_NEWNET,
	}
	return cmd, cmd.Start()
}

// rebooted tells whether an init has ended by the system call that reboots a machine: see reboot(2) on PID
// namespaces.
func rebooted(state *os.ProcessState) bool {
	status, known := state.Sys().(syscall.WaitStatus)
	return known && status.Signaled() && status.Signal() == unix.SIGHUP
}

// bootAgain boots a host whose init has ended, unless somebody else has done so, or has stopped it.
func bootAgain(l *Lab, host string, ended process) error {
	if _, err := os.Stat(l.dir); err != nil {
		return nil // the lab is gone
	}
	ctx := context.Background()
	s, err := l.enter(ctx)
	if err != nil {
		return err
	}
	defer s.lock.Close()
	h, err := s.record.find(host)
	if err != nil || h.Off || h.process() != ended {
		return err
	}
	return s.boot(ctx, h)
}
