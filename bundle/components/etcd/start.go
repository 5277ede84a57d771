package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// notesVariable names the folder, outside of etcd's data, in which a host notes whether its
// member has begun. The static Pod sets it; without it etcd starts as it always does.
const notesVariable = "SLIPWAY_ETCD_NOTES"

// The notes. The first becomes the second when the member has data.
const (
	// mayBegin lets the member start without data. It says with which state: new, or existing.
	mayBegin = "begin"
	hasBegun = "begun"
)

// watchEvery is how often a first start looks whether there are data yet. A member takes part
// in a vote a tenth of a second after that at the earliest.
const watchEvery = 10 * time.Millisecond

// guard answers the arguments to start etcd with, or why it must not start. A member whose data
// are gone would vote again on what it has agreed to before, and two such members make an
// empty cluster of the same name beside the one that has the data: so without data it starts
// only where the host's note allows it.
func guard(args []string, folder string) ([]string, error) {
	if folder == "" {
		return args, nil
	}
	log := logOf(args)
	there, err := exists(log)
	if err != nil {
		return nil, err
	}
	if there {
		if err := noteBegun(folder); err != nil { // it has its data, and that is what counts
			fmt.Fprintln(os.Stderr, "etcd: note that the member has begun:", err)
		}
		return args, nil
	}
	content, err := os.ReadFile(filepath.Join(folder, mayBegin))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there are no data of etcd in %s, and %s: mount the disk that holds them, or restore them; if they are lost: slipway reset HOST, then slipway join",
			log, whyNot(folder))
	}
	if err != nil {
		return nil, err
	}
	state := strings.TrimSpace(string(content))
	if state != "new" && state != "existing" {
		return nil, fmt.Errorf("%s says %q: it is not a state to begin with", filepath.Join(folder, mayBegin), state)
	}
	go watch(log, folder)
	return append(slices.Clone(args), "--initial-cluster-state="+state), nil // the last one counts
}

func whyNot(folder string) string {
	if begun, err := exists(filepath.Join(folder, hasBegun)); begun || err != nil {
		return "this host's member has begun before"
	}
	return "nothing on this host says that a member may begin here"
}

// watch notes that the member has begun as soon as it has data.
func watch(log, folder string) {
	for told := false; ; time.Sleep(watchEvery) {
		there, err := exists(log)
		if err == nil && there {
			err = noteBegun(folder)
		}
		if err == nil && there {
			return
		}
		if err != nil && !told {
			told = true
			fmt.Fprintln(os.Stderr, "etcd: note that the member has begun:", err)
		}
	}
}

// noteBegun notes durably that the member has begun.
func noteBegun(folder string) error {
	from, to := filepath.Join(folder, mayBegin), filepath.Join(folder, hasBegun)
	err := os.Rename(from, to)
	if errors.Is(err, fs.ErrNotExist) {
		if begun, err := exists(to); begun || err != nil {
			return err
		}
		err = os.WriteFile(to, nil, 0o600) // of a cluster from before there were notes
	}
	if err != nil {
		return err
	}
	directory, err := os.Open(folder)
	if err != nil {
		return err
	}
	defer directory.Close()
	return directory.Sync()
}

// logOf is the folder of the write-ahead log: a member has data when it is there.
func logOf(args []string) string {
	data := "default.etcd"
	for i, arg := range args {
		name, value, given := strings.Cut(strings.TrimLeft(arg, "-"), "=")
		if !strings.HasPrefix(arg, "-") || name != "data-dir" {
			continue
		}
		if !given && i+1 < len(args) {
			value = args[i+1]
		}
		data = value
	}
	return filepath.Join(data, "member", "wal")
}

func exists(path string) (bool, error) {
	_, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}
