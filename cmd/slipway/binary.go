package main

import (
	"compress/gzip"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/slipway-k8s/slipway/hosts/ssh"
)

// embedded is what `make build` puts into this program: slipway-agent for Linux on this
// machine's architecture. Where it was built by Go alone there is none.
//
//go:embed embedded
var embedded embed.FS

var errNoAgent = errors.New("this slipway was built without its agent, or with another version's; build it anew, in its checkout, by: make build")

// ownAgent is the agent that this program has in it.
var ownAgent = func() (ssh.Binary, error) { return embeddedAgent(embedded, version) }

// embeddedAgent opens the agent that is in these files; what it is was noted when it was built. One
// of an earlier build may lie there still: hosts would refuse it.
func embeddedAgent(files fs.FS, version string) (ssh.Binary, error) {
	noted, err := fs.ReadFile(files, "embedded/slipway-agent.sum")
	if errors.Is(err, fs.ErrNotExist) {
		return ssh.Binary{}, errNoAgent
	}
	if err != nil {
		return ssh.Binary{}, err
	}
	var agent ssh.Binary
	var its string
	if _, err := fmt.Sscan(string(noted), &agent.SHA256, &agent.Size, &its); err != nil {
		return ssh.Binary{}, fmt.Errorf("read what the embedded agent is: %w", err)
	}
	if its != version {
		return ssh.Binary{}, errNoAgent
	}
	agent.Open = func() (io.ReadCloser, error) {
		packed, err := files.Open("embedded/slipway-agent.gz")
		if err != nil {
			return nil, err
		}
		return gzip.NewReader(packed) // the file is in memory: nothing is left open
	}
	return agent, nil
}

// unpackAgent writes the embedded agent into a folder of its own, which remove takes away.
func unpackAgent() (path string, remove func(), err error) {
	agent, err := ownAgent()
	if err != nil {
		return "", nil, err
	}
	content, err := agent.Open()
	if err != nil {
		return "", nil, err
	}
	folder, err := os.MkdirTemp("", "slipway-")
	if err != nil {
		return "", nil, err
	}
	remove = func() { _ = os.RemoveAll(folder) }
	path = filepath.Join(folder, "slipway-agent")
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o700)
	if err == nil {
		_, err = io.Copy(file, content)
		err = errors.Join(err, file.Close())
	}
	if err != nil {
		remove()
	}
	return path, remove, err
}
