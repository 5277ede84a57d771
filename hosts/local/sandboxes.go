//go:build linux

package local

import (
	"context"
	"crypto/sha512"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/slipway-k8s/slipway/hosts"
)

const (
	// sandboxDir holds a directory for each Pod's sandbox of containerd's CRI plugin, from
	// its making to its removal, whether containerd runs or not.
	sandboxDir = "/var/lib/containerd/io.containerd.grpc.v1.cri/sandboxes"
	// networkResults holds what libcni noted of each container, every runtime's, that was
	// added to a network and not yet taken out again.
	networkResults = "/var/lib/cni/results"
)

// taskConfig is what of a task's runtime configuration tells about its Pod: containerd's CRI
// plugin notes there the Pod that it belongs to.
type taskConfig struct {
	Annotations struct {
		Sandbox   string `json:"io.kubernetes.cri.sandbox-id"`
		Namespace string `json:"io.kubernetes.cri.sandbox-namespace"`
		Pod       string `json:"io.kubernetes.cri.sandbox-name"`
	} `json:"annotations"`
	Linux struct {
		Namespaces []struct {
			Type string `json:"type"`
			Path string `json:"path"`
		} `json:"namespaces"`
	} `json:"linux"`
}

// networked is what libcni noted about a container in a network.
type networked struct {
	Container string `json:"containerId"`
	Network   string `json:"networkName"`
	Namespace string `json:"netns"`
}

// observeSandboxes tells which sandboxes are Kubernetes' own, and the names of what they have.
func (h *Host) observeSandboxes(ctx context.Context, _ hosts.Query, facts *hosts.Facts) error {
	sandboxes, err := h.sandboxes()
	if err != nil || len(sandboxes) == 0 {
		return err
	}
	chains := map[string][]string{}
	results, err := os.ReadDir(h.at(networkResults))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, entry := range results {
		var result networked
		if !h.readNote(filepath.Join(networkResults, entry.Name()), &result) {
			continue
		}
		if known := sandboxes[result.Container]; known != nil {
			h.useNamespace(known, result.Namespace)
			chains[result.Container] = append(chains[result.Container], pluginChains(result.Network, result.Container)...)
		}
	}
	all := slices.Collect(maps.Values(chains))
	there, err := h.matchingChains(ctx, slices.Concat(all...))
	if err != nil {
		return err
	}
	for _, id := range slices.Sorted(maps.Keys(sandboxes)) {
		one := sandboxes[id]
		for _, name := range chains[id] {
			if slices.ContainsFunc(there, func(c chain) bool { return c.name == name }) {
				one.Chains = addOnce(one.Chains, name)
			}
		}
		facts.Sandboxes = append(facts.Sandboxes, *one)
	}
	return nil
}

// sandboxes are those of which containerd has a directory or a task, by their ids.
func (h *Host) sandboxes() (map[string]*hosts.Sandbox, error) {
	found := map[string]*hosts.Sandbox{}
	add := func(id string) *hosts.Sandbox {
		if found[id] == nil {
			found[id] = &hosts.Sandbox{ID: id}
		}
		return found[id]
	}
	for _, dir := range []string{sandboxDir, taskDir} {
		entries, err := os.ReadDir(h.at(dir))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("list Pods' sandboxes: %w", err)
		}
		for _, entry := range entries {
			if dir == sandboxDir {
				add(entry.Name())
				continue
			}
			one, err := h.taskConfigOf(entry)
			if err != nil || one.Annotations.Sandbox == "" {
				continue // it cannot be read
			}
			for _, namespace := range one.Linux.Namespaces {
				if namespace.Type == "network" {
					h.useNamespace(add(one.Annotations.Sandbox), namespace.Path)
				}
			}
		}
	}
	return found, nil
}

// taskConfigOf reads the runtime configuration of a task by its directory.
func (h *Host) taskConfigOf(entry os.DirEntry) (taskConfig, error) {
	var one taskConfig
	data, err := os.ReadFile(h.at(filepath.Join(taskDir, entry.Name(), "config.json")))
	if err == nil {
		err = json.Unmarshal(data, &one)
	}
	if err != nil {
		return taskConfig{}, fmt.Errorf("read the configuration of task %s: %w", entry.Name(), err)
	}
	return one, nil
}

// readNote reads what another program noted; false where it cannot be read.
func (h *Host) readNote(path string, into any) bool {
	data, err := os.ReadFile(h.at(path))
	return err == nil && json.Unmarshal(data, into) == nil
}

// useNamespace notes a sandbox's network namespace where that is a named one. Of a process
// in the same sandbox it is told as /proc/<pid>/ns/net.
func (h *Host) useNamespace(of *hosts.Sandbox, path string) {
	name := filepath.Base(path)
	if dir := filepath.Dir(path); dir != namespaceDir && dir != "/var"+namespaceDir {
		return
	}
	if info, err := os.Lstat(h.at(filepath.Join(namespaceDir, name))); err == nil && !info.IsDir() {
		of.Namespace = name
	}
}

// pluginChains are the names that CNI's plugins bridge (for masquerading) and portmap give
// a container's chains: a hash of the network's name and the container's id, cut to the
// length that iptables takes.
func pluginChains(network, container string) []string {
	const longest = 28
	sum := sha512.Sum512([]byte(network + container))
	hash := hex.EncodeToString(sum[:])
	return []string{("CNI-" + hash)[:longest], ("CNI-DN-" + hash)[:longest]}
}
