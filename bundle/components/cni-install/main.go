// Command cni-install puts network plugins and their configuration on a node that Slipway
// did not prepare, each only where it is absent, and the configuration not before the
// network is up: the node is called Ready by that file.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

func main() {
	plugins := flag.String("plugins", "/await-subnet,/flannel", "the plugins in this image, with commas between")
	bin := flag.String("bin", "/opt/cni/bin", "the folder of plugins on the node")
	conf := flag.String("conf", "/etc/kube-flannel/cni-conf.json", "the configuration in this Pod")
	to := flag.String("to", "/etc/cni/net.d/10-flannel.conflist", "where the configuration goes on the node")
	after := flag.String("after", "/run/flannel/subnet.env", "the file that shows that the network is up")
	flag.Parse()
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGINT, syscall.SIGTERM)
	for plugin := range strings.SplitSeq(*plugins, ",") {
		if err := install(plugin, filepath.Join(*bin, filepath.Base(plugin)), 0o755); err != nil {
			fail(err)
		}
	}
	if !appears(*after, stop) {
		return
	}
	if err := install(*conf, *to, 0o644); err != nil {
		fail(err)
	}
	<-stop // a DaemonSet's containers are to stay
}

// appears waits until there is a file at the path; false when told to stop first.
func appears(path string, stop <-chan os.Signal) bool {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		if _, err := os.Stat(path); err == nil {
			return true
		}
		select {
		case <-stop:
			return false
		case <-tick.C:
		}
	}
}

// install copies a file to a path where nothing is, so that nobody sees half of it.
func install(from, to string, mode fs.FileMode) error {
	if _, err := os.Stat(to); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	source, err := os.Open(from)
	if err != nil {
		return fmt.Errorf("install %s: %w", to, err)
	}
	defer source.Close()
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return fmt.Errorf("install %s: %w", to, err)
	}
	part, err := os.CreateTemp(filepath.Dir(to), ".cni-install-")
	if err != nil {
		return fmt.Errorf("install %s: %w", to, err)
	}
	defer os.Remove(part.Name())
	_, copied := io.Copy(part, source)
	if err := errors.Join(copied, part.Chmod(mode), part.Sync(), part.Close()); err != nil {
		return fmt.Errorf("install %s: %w", to, err)
	}
	if err := os.Rename(part.Name(), to); err != nil {
		return fmt.Errorf("install %s: %w", to, err)
	}
	fmt.Println("installed", to)
	return nil
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "cni-install:", err)
	os.Exit(1)
}
