package lab

import (
	"bufio"
	"fmt"
	"os"
	"strings"
)

// mountPoint is one line of a mountinfo file, as far as the lab cares.
type mountPoint struct {
	path       string
	filesystem string
	options    string // of the superblock: for cgroup v1 they name the controllers
}

var mountEscapes = strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)

// readMounts gives this process's mounts in the order in which they were made.
func readMounts() ([]mountPoint, error) {
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var mounts []mountPoint
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		m, err := parseMount(lines.Text())
		if err != nil {
			return nil, err
		}
		mounts = append(mounts, m)
	}
	return mounts, lines.Err()
}

func parseMount(line string) (mountPoint, error) {
	front, back, found := strings.Cut(line, " - ")
	left, right := strings.Fields(front), strings.Fields(back)
	if !found || len(left) < 6 || len(right) < 3 {
		return mountPoint{}, fmt.Errorf("mountinfo: odd line %q", line)
	}
	return mountPoint{
		path:       mountEscapes.Replace(left[4]),
		filesystem: right[0],
		options:    right[2],
	}, nil
}

// mountsUnder gives the mounts at or below a folder, the innermost first.
func mountsUnder(dir string) ([]string, error) {
	mounts, err := readMounts()
	if err != nil {
		return nil, err
	}
	var under []string
	for i := len(mounts) - 1; i >= 0; i-- {
		if path := mounts[i].path; path == dir || strings.HasPrefix(path, dir+"/") {
			under = append(under, path)
		}
	}
	return under, nil
}
