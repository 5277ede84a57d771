package phases

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/slipway-k8s/slipway/bundle"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/checks"
	"github.com/slipway-k8s/slipway/phases/view"
)

func ownImage(reference, os, arch, digest string) view.OwnImage {
	return view.OwnImage{
		Load:     hosts.LoadImage{Reference: reference, Manifest: hosts.ImageBlob{Digest: digest}},
		Platform: bundle.Platform{OS: os, Arch: arch},
	}
}

func TestEachHostGetsTheImageForItsPlatform(t *testing.T) {
	const app = "docker.io/library/app:1"
	for name, test := range map[string]struct {
		images  []view.OwnImage
		digest  string
		refused string
	}{
		"the host's":                 {[]view.OwnImage{ownImage(app, "linux", "amd64", "a")}, "a", ""},
		"another's":                  {[]view.OwnImage{ownImage(app, "linux", "arm64", "b")}, "", "linux/arm64"},
		"another system's":           {[]view.OwnImage{ownImage(app, "windows", "amd64", "c")}, "", "windows/amd64"},
		"several, and none":          {[]view.OwnImage{ownImage(app, "linux", "arm64", "b"), ownImage(app, "linux", "s390x", "d")}, "", "linux/arm64, linux/s390x"},
		"several":                    {[]view.OwnImage{ownImage(app, "linux", "arm64", "b"), ownImage(app, "linux", "amd64", "a")}, "a", ""},
		"for one older processor":    {[]view.OwnImage{ownImage(app, "linux", "386", "e")}, "e", ""},
		"rather the host's own":      {[]view.OwnImage{ownImage(app, "linux", "386", "e"), ownImage(app, "linux", "amd64", "a")}, "a", ""},
		"one that does not say":      {[]view.OwnImage{ownImage(app, "", "", "f")}, "f", ""},
		"one of two images does not": {[]view.OwnImage{ownImage(app, "linux", "amd64", "a"), ownImage("docker.io/library/b:1", "linux", "arm64", "b")}, "", "docker.io/library/b:1"},
	} {
		in := newWorld(t, 1, 1).observe()
		for host, facts := range in.Facts {
			facts.Arch = "amd64"
			facts.Record = &hosts.Record{Cluster: in.ClusterID}
			facts.Units = map[string]hosts.Unit{manifests.ContainerdUnit: {Active: "active"}}
			in.Facts[host] = facts
		}
		made, _, err := Images(in, test.images)
		if test.refused != "" {
			refused, ok := errors.AsType[*checks.Refused](err)
			if !ok {
				t.Errorf("%s: %v", name, err)
				continue
			}
			for _, problem := range refused.Findings {
				if problem.Check != "ImagePlatform" || !strings.Contains(problem.Seen, test.refused) || !strings.Contains(problem.Fix, "linux/amd64") {
					t.Errorf("%s: %s", name, problem)
				}
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		loaded := map[string]string{}
		for _, step := range made.Steps {
			if load, ok := step.Action.(hosts.LoadImage); ok {
				loaded[step.Host] = load.Manifest.Digest
			}
		}
		if diff := cmp.Diff(map[string]string{"cp-1": test.digest, "w-1": test.digest}, loaded); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
