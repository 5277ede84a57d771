package tui

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	tea "github.com/charmbracelet/bubbletea"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/cmd/slipway/tui/text"
)

// usualFile is the cluster file where none is named and none is found.
const usualFile = "cluster.yaml"

// clusterFiles are the cluster files in a folder.
func clusterFiles(folder string) []string {
	var found []string
	for _, pattern := range []string{"*.yaml", "*.yml"} {
		files, _ := filepath.Glob(filepath.Join(folder, pattern)) // the pattern is a good one
		for _, file := range files {
			if isClusterFile(file) {
				found = append(found, file)
			}
		}
	}
	return found
}

// mostRead is how much of a file is looked at for its kind.
const mostRead = 1 << 20

func isClusterFile(file string) bool {
	info, err := os.Stat(file)
	if err != nil || !info.Mode().IsRegular() || info.Size() > mostRead {
		return false
	}
	data, err := os.ReadFile(file)
	return err == nil && bytes.Contains(data, []byte(cluster.APIVersion)) && bytes.Contains(data, []byte("kind: "+cluster.Kind))
}

// newFilesScreen has the user choose one of several cluster files, or begin a new one.
func newFilesScreen(s *shared, files []string, begins func(*shared) (screen, error)) screen {
	var all []option
	open := func(file string) func() tea.Cmd {
		return func() tea.Cmd {
			s.options.File = file
			next, err := begins(s)
			if err != nil {
				return s.push(newErrorScreen(s, err))
			}
			return s.reset(next)
		}
	}
	for _, file := range files {
		all = append(all, option{plain(clean(file)), open(file)})
	}
	fresh := freshFile(fileIsThere)
	all = append(all, option{words(text.FilesNew, fresh), open(fresh)})
	return newChoiceScreen(s, words(text.FilesTitle), words(text.FilesAbout), all...)
}

// freshFile is a name for a new cluster file, of which none is there yet.
func freshFile(isThere func(string) bool) string {
	name := usualFile
	for n := 2; isThere(name); n++ {
		name = strings.TrimSuffix(usualFile, ".yaml") + "-" + strconv.Itoa(n) + ".yaml"
	}
	return name
}

func fileIsThere(file string) bool {
	_, err := os.Lstat(file)
	return err == nil
}
