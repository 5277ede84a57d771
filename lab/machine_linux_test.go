package lab

import (
	"slices"
	"strings"
	"testing"
)

func TestSourcesList(t *testing.T) {
	const targets = `http://mirror/debian/|bookworm|bookworm|main
http://mirror/debian/|bookworm|bookworm|contrib
http://mirror/debian/|bookworm-updates|bookworm-updates|main
http://mirror/debian-security/|bookworm-security|bookworm-security|main
http://mirror/debian-security/|bookworm-security|bookworm-security|main
http://mirror/debian/|trixie|trixie|main
http://mirror/debian/|oldstable|bookworm|main
http://elsewhere/docker/|bookworm|bookworm|stable
http://elsewhere/cloud/|cloud-bookworm||main
garbage
`
	want := strings.Join([]string{
		"deb http://mirror/debian/ bookworm main",
		"deb http://mirror/debian/ bookworm-updates main",
		"deb http://mirror/debian-security/ bookworm-security main",
		"deb http://mirror/debian/ oldstable main",
	}, "\n")
	if got := sourcesList(targets, "bookworm"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got := sourcesList(targets, "noble"); got != "" {
		t.Errorf("for another release got\n%s", got)
	}
}

func TestFetchOptions(t *testing.T) {
	const dump = `APT::Architecture "amd64";
Acquire::Check-Valid-Until "false";
Acquire::Languages "none";
Acquire::http::Proxy "http://proxy:3128";
DPkg::Post-Invoke "";
`
	const want = "Acquire::Check-Valid-Until \"false\";\nAcquire::http::Proxy \"http://proxy:3128\";\n"
	if got := fetchOptions(dump); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestParseMount(t *testing.T) {
	got, err := parseMount(`33 31 0:30 / /sys/fs/cgroup/my\040cpu rw,nosuid shared:9 - cgroup cgroup rw,cpu,cpuacct`)
	want := mountPoint{path: "/sys/fs/cgroup/my cpu", filesystem: "cgroup", options: "rw,cpu,cpuacct"}
	if err != nil || got != want {
		t.Errorf("got %+v, %v", got, err)
	}
	for _, line := range []string{"", "33 31 0:30 / /sys rw", "1 2 - a b c"} {
		if _, err := parseMount(line); err == nil {
			t.Errorf("parseMount(%q) gives no error", line)
		}
	}
}

func TestHierarchies(t *testing.T) {
	v1 := func(path, options string) mountPoint { return mountPoint{path, "cgroup", options} }
	v2 := func(path string) mountPoint { return mountPoint{path, "cgroup2", "rw"} }
	for name, test := range map[string]struct {
		mounts []mountPoint
		want   []hierarchy
		says   string
	}{
		"v2 alone": {
			mounts: []mountPoint{v2("/sys/fs/cgroup")},
			want:   []hierarchy{{Mount: "/sys/fs/cgroup", Unified: true}},
		},
		"v1 with v2 beside it, one mounted twice": {
			mounts: []mountPoint{v1("/c/cpu", "rw,cpu,cpuacct"), v2("/c/unified"), v1("/c/systemd", "rw,xattr,name=systemd"), v1("/other", "rw,cpu,cpuacct")},
			want: []hierarchy{
				{Mount: "/c/cpu", Options: "cpu,cpuacct"}, {Mount: "/c/systemd", Options: "name=systemd"},
				{Mount: "/c/unified", Unified: true},
			},
		},
		"v1 without systemd's": {mounts: []mountPoint{v1("/c/cpu", "rw,cpu")}, says: "name=systemd"},
		"none":                 {says: "no cgroup hierarchy"},
	} {
		got, err := hierarchiesOf(test.mounts)
		if !slices.Equal(got, test.want) {
			t.Errorf("%s: got %+v, want %+v", name, got, test.want)
		}
		if (test.says == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: got %v, want %q", name, err, test.says)
		}
	}
}

func TestOverlayPath(t *testing.T) {
	if got, want := overlayPath(`/a:b,c\d`), `/a\:b\,c\\d`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
