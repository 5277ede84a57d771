package api

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/hosts/hosttest"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// shelf is where a test keeps snapshots.
type shelf struct {
	full                     bool
	size                     int64
	content                  []byte
	kept, discarded, version string
	about                    hosts.Snapshot
}

func (s *shelf) Begin(size int64) (Snapshot, error) {
	if s.full {
		return nil, errors.New("there is no room")
	}
	s.size = size
	return s, nil
}

func (s *shelf) Write(p []byte) (int, error) { s.content = append(s.content, p...); return len(p), nil }
func (s *shelf) Blob() (hosts.Blob, error)   { return hosts.ContentBlob(s.content), nil }
func (s *shelf) Discard()                    { s.discarded += "yes" }
func (s *shelf) Keep(about hosts.Snapshot, version string) (string, error) {
	s.kept, s.about, s.version = "/state/etcd.db", about, version
	return s.kept, nil
}

// data are what a member streams: made-up data of more than one message, and their sum.
func data(begin []byte) []byte {
	content := append(bytes.Clone(begin), bytes.Repeat([]byte("x"), 100<<10)...)
	sum := sha256.Sum256(content)
	return append(content, sum[:]...)
}

// TestASnapshotIsKeptWhenItsHostHasProvedIt, and in no other case.
func TestASnapshotIsKeptWhenItsHostHasProvedIt(t *testing.T) {
	whole := data(hosttest.Etcd)
	for name, test := range map[string]struct {
		snapshot []byte
		arrange  func(e *etcdCluster, s *shelf)
		want     string // of the error; empty: it is kept
	}{
		"whole":               {whole, nil, ""},
		"cut short":           {whole[:80<<10], nil, "does not end with its own SHA-256"},
		"damaged":             {append([]byte("?"), whole[1:]...), nil, "does not end with its own SHA-256"},
		"empty":               {nil, nil, "does not end with its own SHA-256"},
		"it does not restore": {data([]byte("something else")), nil, "prove on cp-1 that it restores: "},
		"no room here":        {whole, func(_ *etcdCluster, s *shelf) { s.full = true }, "there is no room"},
		"etcd is down":        {whole, func(e *etcdCluster, _ *shelf) { e.servers[idOf("10.0.0.1")].down = errDown }, "etcd on cp-1"},
		"etcd falls silent":   {whole, func(e *etcdCluster, _ *shelf) { e.servers[idOf("10.0.0.1")].stalls = true }, "nothing more of it came for 30s"},
	} {
		t.Run(name, func(t *testing.T) {
			playEtcd(t, three, three, func(t *testing.T, e *etcdCluster, _ *Client) {
				machine := hosttest.NewFake("cp-1")
				e.cluster.planes["cp-1"].Host = machine.Host()
				s, began := &shelf{}, time.Now()
				client := e.clientThat(func(options *Options) { options.Snapshots = s })
				defer client.Close()
				e.snapshot = test.snapshot
				if test.arrange != nil {
					test.arrange(e, s)
				}
				done, err := client.Do(t.Context(), plan.SnapshotEtcd{From: "cp-1", Tool: "/bin/etcdutl", Version: "v1.36.3"}, nil, nil)
				if left := machine.Stored(); len(left) > 0 {
					t.Errorf("the host still has %v", left)
				}
				if test.want != "" {
					known, is := errors.AsType[*hosts.Error](err)
					if !is || !strings.Contains(err.Error(), test.want) || !strings.Contains(known.Fix, "--ignore-checks EtcdSnapshot") || s.kept != "" {
						t.Errorf("%v, kept %q", err, s.kept)
					}
					if took := time.Since(began); took > time.Minute {
						t.Errorf("it took %s", took)
					}
					return
				}
				wantAbout := hosts.Snapshot{Revision: int64(len(whole)), Keys: 1}
				if err != nil || done.Result != hosts.Changed || !bytes.Equal(s.content, whole) || s.about != wantAbout || s.version != "v1.36.3" || s.size != 4711 {
					t.Fatalf("%v %v, %+v of %s, room for %d", done, err, s.about, s.version, s.size)
				}
				if blob, _ := s.Blob(); !strings.Contains(done.Detail, s.kept) || !strings.Contains(done.Detail, blob.SHA256) {
					t.Errorf("told is %s", done.Detail)
				}
			})
		})
	}
}
