package workflow

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/slipway-k8s/slipway/phases/checks"
	"go.yaml.in/yaml/v3"
)

// ownKubeconfig is the file that kubectl reads and would write to: of those that KUBECONFIG
// lists the first that there is, or the last where there is none; else ~/.kube/config. One of
// them that has the cluster already comes first.
func ownKubeconfig(clusterName string) (string, error) {
	var files []string
	for _, file := range filepath.SplitList(os.Getenv("KUBECONFIG")) {
		if file != "" && !slices.Contains(files, file) {
			files = append(files, file)
		}
	}
	if len(files) == 0 {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", fmt.Errorf("find the kubeconfig: %w", err)
		}
		return filepath.Join(home, ".kube", "config"), nil
	}
	first := ""
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		if first == "" {
			first = file
		}
		if document, err := kubeconfigDocument(content); err == nil && document != nil && find(document.Content[0], "clusters", clusterName) != nil {
			return file, nil
		}
	}
	if first != "" {
		return first, nil
	}
	return files[len(files)-1], nil
}

// mergeInto puts a kubeconfig into a file, which may hold others, whole or not at all, and
// gives the context that is the current one then. by is for whom root does so.
func mergeInto(by sudoer, path string, ours, ca []byte, replace bool) (current string, err error) {
	if err := by.makeFolder(filepath.Dir(path)); err != nil {
		return "", fmt.Errorf("write %s: %w", path, err)
	}
	unlock, err := lockKubeconfig(path) // by this name kubectl locks it, also where it is a link
	if err != nil {
		return "", err
	}
	defer unlock()
	path = followed(path)
	if err := by.makeFolder(filepath.Dir(path)); err != nil {
		return "", fmt.Errorf("write %s: %w", path, err)
	}
	existing, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("read the kubeconfig: %w", err)
	}
	merged, err := mergeKubeconfig(existing, ours, ca, replace)
	if taken, ok := errors.AsType[*takenError](err); ok {
		return "", &checks.Refused{Findings: []checks.Finding{{
			Check: "Kubeconfig", Severity: checks.Error, Seen: path + ": " + taken.Error(),
			Fix: "name yours otherwise by --context NAME, write to another file by --out FILE, or, if nobody needs that one any more, say --force",
		}}}
	}
	var document *yaml.Node
	if err == nil { // what cannot be read again is not written
		document, err = kubeconfigDocument(merged)
	}
	if err != nil {
		return "", fmt.Errorf("put the cluster into %s: %w; the file is as it was", path, err)
	}
	if err := writeOwned(path, merged, by.keepOwner(path)); err != nil {
		return "", err
	}
	return text(document.Content[0], "current-context"), nil
}

// lockKubeconfig takes the lock that kubectl takes when it changes the file.
func lockKubeconfig(path string) (unlock func(), err error) {
	lock := path + ".lock"
	file, err := os.OpenFile(lock, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("write %s: somebody else is changing it: %s is there; remove it if nobody is", path, lock)
	}
	if err != nil {
		return nil, fmt.Errorf("write %s: %w", path, err)
	}
	return func() { _ = os.Remove(lock) }, file.Close()
}
