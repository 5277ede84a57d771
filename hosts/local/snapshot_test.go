//go:build linux

package local_test

import (
	"os"
	"strings"
	"testing"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/hosts/hosttest"
	"github.com/slipway-k8s/slipway/hosts/local"
)

// etcdutl is a tool that notes how it was called and, as it restores, who may look into the folder; a
// snapshot that says so is no good to it.
const etcdutl = `#!/bin/sh
echo "$*" >> %/called
if grep -q damaged "$3"; then echo '{"level":"info"}' >&2; echo "Error: page 7 is unreachable" >&2; exit 1; fi
case "$2" in
status) echo '{"hash":7,"revision":4711,"totalKey":42,"totalSize":4096,"version":"3.7.0"}' ;;
restore) if grep -q torn "$3"; then echo "Error: expected sha256 x, got y" >&2; exit 1; fi
	mkdir -p "$5/member" && cp "$3" "$5/member/db" && stat -c %a "$(dirname "$5")" >> %/called ;;
esac
`

// TestASnapshotIsProvedByEtcdutlAndLeavesNothing, whatever comes of it.
func TestASnapshotIsProvedByEtcdutlAndLeavesNothing(t *testing.T) {
	const proof, tool = local.DefaultStateDir + "/snapshot-proof", "/opt/etcdutl"
	for content, fails := range map[string]string{
		"keys and Secrets": "",
		"damaged":          "etcdutl snapshot status: Error: page 7 is unreachable (exit code 1)",
		"torn":             "etcdutl snapshot restore: Error: expected sha256 x, got y (exit code 1)",
	} {
		t.Run(content, func(t *testing.T) {
			m := newMachine(t)
			host := m.host()
			m.write(tool, strings.ReplaceAll(etcdutl, "%/", m.root+"/"))
			if err := os.Chmod(m.at(tool), 0o755); err != nil {
				t.Fatal(err)
			}
			m.write(proof+"/etcd/member/db", "left by a run that was cut")
			blob := hosttest.Content([]byte(content))
			m.upload(host, blob)
			action := hosts.ProveSnapshot{Content: blob.Ref, Size: blob.Size, Tool: tool}
			if fails != "" {
				if err := m.fails(host, action); !strings.Contains(err.Error(), fails) {
					t.Errorf("it says %v", err)
				}
			} else if found := m.once(host, action, hosts.Changed).Snapshot; found == nil || *found != (hosts.Snapshot{Revision: 4711, Keys: 42}) {
				t.Errorf("found %+v", found)
			} else if called := m.read("/called"); strings.Contains(called, "skip-hash-check") || !strings.HasSuffix(called, "700\n") {
				t.Errorf("called was %s", called)
			}
			if m.has(proof) {
				t.Error("what was restored is left")
			}
			if err := m.fails(host, action); !strings.Contains(err.Error(), "must be uploaded first") {
				t.Errorf("the snapshot is left: %v", err)
			}
		})
	}
}

// TestATidiedStoreHasNoRestoredSnapshot: a power cut in a proof leaves it, and all of the cluster's Secrets are
// in it.
func TestATidiedStoreHasNoRestoredSnapshot(t *testing.T) {
	for name, blob := range map[string]string{"alone": "", "beside blobs": "content"} {
		t.Run(name, func(t *testing.T) {
			m := newMachine(t)
			host := m.host()
			if blob != "" {
				m.upload(host, hosttest.Content([]byte(blob)))
			}
			m.write(local.DefaultStateDir+"/snapshot-proof/etcd/member/db", "keys and Secrets")
			m.once(host, hosts.TidyStore{}, hosts.Changed)
			if m.has(local.DefaultStateDir + "/snapshot-proof") {
				t.Error("what was restored is left")
			}
			m.once(host, hosts.TidyStore{}, hosts.Unchanged)
		})
	}
}
