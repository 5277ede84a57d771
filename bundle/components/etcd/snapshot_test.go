package main

import (
	"encoding/json"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"
)

// TestMain is etcdutl where the test's own program is started under that name.
func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "etcdutl" {
		main()
		return
	}
	os.Exit(m.Run())
}

// TestEtcdutlProvesASnapshot as hosts/local has it do: it tells what is in one and restores it, into data
// from which a member starts; and refuses one that is damaged or cut.
func TestEtcdutlProvesASnapshot(t *testing.T) {
	folder := t.TempDir()
	whole := takeSnapshot(t, filepath.Join(folder, "first"))
	damaged, cut := filepath.Join(folder, "damaged"), filepath.Join(folder, "cut")
	content, err := os.ReadFile(whole)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(cut, content[:len(content)-4096], 0o600); err != nil {
		t.Fatal(err)
	}
	content[len(content)-1] ^= 1
	if err := os.WriteFile(damaged, content, 0o600); err != nil {
		t.Fatal(err)
	}

	var told struct {
		Revision int64 `json:"revision"`
		Keys     int   `json:"totalKey"`
	}
	out, err := runTool(t, "snapshot", "status", whole, "--write-out", "json")
	if err != nil || json.Unmarshal([]byte(out), &told) != nil || told.Revision != 4 || told.Keys != 2 {
		t.Fatalf("told is %s, %v", out, err)
	}
	data := filepath.Join(folder, "restored")
	if out, err := runTool(t, "snapshot", "restore", whole, "--data-dir", data); err != nil {
		t.Fatalf("%s, %v", out, err)
	}
	for _, broken := range []string{damaged, cut} {
		if out, err := runTool(t, "snapshot", "restore", broken, "--data-dir", broken+"-restored"); err == nil {
			t.Errorf("%s is restored: %s", filepath.Base(broken), out)
		}
	}
	client := start(t, data)
	got, err := client.Get(t.Context(), "a")
	if err != nil || len(got.Kvs) != 1 || string(got.Kvs[0].Value) != "2" {
		t.Errorf("%v, %v", got, err)
	}
}

func runTool(t *testing.T, args ...string) (string, error) {
	t.Helper()
	own, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	command := exec.Command(own, args...)
	command.Args[0] = "etcdutl"
	var failed strings.Builder
	command.Stderr = &failed
	out, err := command.Output()
	if err != nil {
		return failed.String(), err
	}
	return string(out), nil
}

// takeSnapshot makes a cluster of one member with two keys, and gives the path of a snapshot of it.
func takeSnapshot(t *testing.T, data string) string {
	t.Helper()
	client := start(t, data)
	for _, pair := range [][2]string{{"a", "1"}, {"a", "2"}, {"b", "1"}} {
		if _, err := client.Put(t.Context(), pair[0], pair[1]); err != nil {
			t.Fatal(err)
		}
	}
	stream, err := client.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	content, err := io.ReadAll(stream)
	if err != nil {
		t.Fatal(err)
	}
	path := data + ".db"
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// start starts a member on unix sockets, until the test ends.
func start(t *testing.T, data string) *clientv3.Client {
	t.Helper()
	config := embed.NewConfig()
	config.Dir, config.LogOutputs, config.LogLevel = data, []string{"/dev/null"}, "error"
	// The name and peer are those with which etcdutl restores unless told otherwise.
	peer := url.URL{Scheme: "http", Host: "localhost:2380"}
	clients := url.URL{Scheme: "unix", Host: "localhost:" + filepath.Base(data)}
	config.AdvertisePeerUrls, config.ListenPeerUrls = []url.URL{peer}, []url.URL{{Scheme: "unix", Host: "localhost:" + filepath.Base(data) + "peer"}}
	config.ListenClientUrls, config.AdvertiseClientUrls = []url.URL{clients}, []url.URL{clients}
	config.InitialCluster = config.InitialClusterFromName(config.Name)
	t.Chdir(t.TempDir()) // where the sockets are
	etcd, err := embed.StartEtcd(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(etcd.Close)
	select {
	case <-etcd.Server.ReadyNotify():
	case <-time.After(time.Minute):
		t.Fatal("etcd does not get ready")
	}
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{clients.String()}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client
}
