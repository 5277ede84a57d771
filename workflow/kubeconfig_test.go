package workflow

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/slipway-k8s/slipway/certs"
	"github.com/slipway-k8s/slipway/certs/mint"
	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/manifests"
)

// madeKubeconfig is a new cluster's CA and an administrator's kubeconfig of it.
type madeKubeconfig struct {
	ca, text []byte
	pki      certs.PKI
}

func newKubeconfig(t *testing.T, name, server, context string) madeKubeconfig {
	t.Helper()
	pki, err := mint.PKI("ECDSA-P256", 24*time.Hour, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return kubeconfigOf(t, pki, name, server, context)
}

func kubeconfigOf(t *testing.T, pki certs.PKI, name, server, context string) madeKubeconfig {
	t.Helper()
	entry, _ := certs.Find(certs.Admin)
	leaf, err := mint.Leaf(pki, entry.Spec(&cluster.Cluster{Name: name, Certificates: cluster.Certificates{KeyAlgorithm: "ECDSA-P256"}}, cluster.Host{}), time.Hour, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	names := namesInKubeconfig(name, context)
	text := manifests.OperatorKubeconfig{
		Cluster: names.cluster, User: names.user, Context: names.context,
		Server: server, CA: pki.CA.Cert, Cert: leaf.Cert, Key: leaf.Key,
	}.Render()
	return madeKubeconfig{ca: pki.CA.Cert, text: text, pki: pki}
}

// read is what kubectl reads of a kubeconfig.
func read(t *testing.T, text []byte) *clientcmdapi.Config {
	t.Helper()
	config, err := clientcmd.Load(text)
	if err != nil {
		t.Fatal(err)
	}
	return config
}

// merged is a kubeconfig with ours put into it.
func merged(t *testing.T, existing []byte, ours madeKubeconfig, replace bool) []byte {
	t.Helper()
	text, err := mergeKubeconfig(existing, ours.text, ours.ca, replace)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// others is a kubeconfig as people have it.
const others = `# my clusters
apiVersion: v1
kind: Config
preferences: {}
x-mine: kept too
clusters:
- name: prod # do not touch
  cluster:
    server: https://prod.example.com:6443
    proxy-url: socks5://127.0.0.1:1080
    extensions:
    - name: client.example.com
      extension: {last: "2026"}
users:
- name: kubernetes-admin
  user:
    exec: {apiVersion: client.authentication.k8s.io/v1, command: login, interactiveMode: Never}
contexts:
- name: prod
  context: {cluster: prod, user: kubernetes-admin, namespace: shop}
current-context: prod
`

func TestMergeKeepsWhatOthersHave(t *testing.T) {
	ours := newKubeconfig(t, "demo", "https://127.0.0.1:8443", "")
	both := merged(t, []byte(others), ours, false)
	for _, kept := range []string{
		"# my clusters", "# do not touch", "x-mine: kept too", "proxy-url: socks5", `extension: {last: "2026"}`,
		"- name: kubernetes-admin\n", "command: login", "namespace: shop", "current-context: prod",
	} {
		if !strings.Contains(string(both), kept) {
			t.Errorf("%q is lost:\n%s", kept, both)
		}
	}
	config := read(t, both)
	context := config.Contexts["kubernetes-admin@demo"]
	if context == nil || config.Clusters[context.Cluster].Server != "https://127.0.0.1:8443" || len(config.AuthInfos[context.AuthInfo].ClientKeyData) == 0 {
		t.Errorf("what kubectl reads: %+v", config)
	}
	if len(config.Contexts) != 2 || len(config.Clusters) != 2 || len(config.AuthInfos) != 2 {
		t.Errorf("what kubectl reads: %+v", config)
	}
	if again := merged(t, both, ours, false); !bytes.Equal(again, both) {
		t.Errorf("the same once more:\n%s", again)
	}
}

func TestMergeBringsItsOwnEntriesUpToDate(t *testing.T) {
	first := newKubeconfig(t, "demo", "https://127.0.0.1:8443", "")
	text := strings.Replace(string(first.text), "    user: kubernetes-admin@demo\n", "    user: kubernetes-admin@demo\n    namespace: mine # chosen\n", 1)
	text = strings.Replace(text, "    server: https", "    tls-server-name: cp-1\n    disable-compression: true\n    server: https", 1)
	second := kubeconfigOf(t, first.pki, "demo", "https://192.0.2.100:16443", "")
	both := merged(t, []byte(text), second, false)
	config, want := read(t, both), read(t, second.text)
	server := config.Clusters["demo"]
	if server.Server != "https://192.0.2.100:16443" || server.TLSServerName != "" || !server.DisableCompression {
		t.Errorf("the cluster is %+v", server)
	}
	if !bytes.Equal(config.AuthInfos["kubernetes-admin@demo"].ClientKeyData, want.AuthInfos["kubernetes-admin@demo"].ClientKeyData) {
		t.Error("the key is the old one")
	}
	if config.Contexts["kubernetes-admin@demo"].Namespace != "mine" || !strings.Contains(string(both), "# chosen") {
		t.Errorf("the context's own settings are lost:\n%s", both)
	}
}

func TestMergeRefusesAnothersEntries(t *testing.T) {
	ours, other := newKubeconfig(t, "demo", "https://127.0.0.1:8443", ""), newKubeconfig(t, "demo", "https://other.example:6443", "")
	for name, test := range map[string]struct{ existing, says string }{
		"another cluster of the name": {string(other.text), "clusters"},
		"another user of the name":    {"users: [{name: kubernetes-admin@demo, user: {token: x}}]\n", "users"},
		"another context of the name": {"contexts: [{name: kubernetes-admin@demo, context: {cluster: prod, user: ann}}]\n", "contexts"},
	} {
		_, err := mergeKubeconfig([]byte(test.existing), ours.text, ours.ca, false)
		if taken, ok := errors.AsType[*takenError](err); !ok || taken.list != test.says {
			t.Errorf("%s: %v", name, err)
		}
		config := read(t, merged(t, []byte(test.existing), ours, true))
		if config.Contexts["kubernetes-admin@demo"].Cluster != "demo" || config.Clusters["demo"].Server != "https://127.0.0.1:8443" {
			t.Errorf("%s, replaced: %+v", name, config)
		}
	}
	renamed := kubeconfigOf(t, ours.pki, "demo", "https://127.0.0.1:8443", "demo-2")
	config := read(t, merged(t, other.text, renamed, false))
	if config.Clusters["demo"].Server != "https://other.example:6443" || config.Contexts["demo-2"].Cluster != "demo-2" {
		t.Errorf("by another name: %+v", config)
	}
}

func TestNothingOfAnothersEntryStaysBesideOurs(t *testing.T) {
	ours, other := newKubeconfig(t, "demo", "https://127.0.0.1:8443", ""), newKubeconfig(t, "demo", "https://other.example:6443", "")
	theirs := string(other.text)
	for after, more := range map[string]string{
		"    server: https://other.example:6443\n": "    proxy-url: socks5://127.0.0.1:1080\n    disable-compression: true\n",
		"  user:\n":                         "    token: theirs\n    as: bob\n    exec: {apiVersion: client.authentication.k8s.io/v1, command: login, interactiveMode: Never}\n",
		"    user: kubernetes-admin@demo\n": "    namespace: shop\n",
	} {
		if strings.Count(theirs, after) != 1 {
			t.Fatalf("%q is not in\n%s", after, theirs)
		}
		theirs = strings.Replace(theirs, after, after+more, 1)
	}
	both := merged(t, []byte(theirs+"x-mine: kept\n"), ours, true)
	if diff := cmp.Diff(read(t, ours.text), read(t, both)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if !strings.Contains(string(both), "x-mine: kept") {
		t.Errorf("what is nobody's is lost:\n%s", both)
	}
}

func TestAFileIsMergedIntoOrLeftAsItWas(t *testing.T) {
	ours := newKubeconfig(t, "demo", "https://127.0.0.1:8443", "")
	for name, test := range map[string]struct {
		existing string
		current  string
		says     string // of the error
	}{
		"nothing":           {"", "kubernetes-admin@demo", ""},
		"comments alone":    {"# empty\n", "kubernetes-admin@demo", ""},
		"no last newline":   {"# mine", "kubernetes-admin@demo", ""},
		"null":              {"null\n", "kubernetes-admin@demo", ""},
		"a tilde":           {"# mine\n~", "kubernetes-admin@demo", ""},
		"marks alone":       {"---\n# mine\n...\n", "kubernetes-admin@demo", ""},
		"a mark alone":      {"---", "kubernetes-admin@demo", ""},
		"a version":         {"%YAML 1.1\n---\n", "kubernetes-admin@demo", ""},
		"empty lists":       {"apiVersion: v1\nkind: Config\nclusters: []\nusers: null\ncurrent-context: \"\"\n", "kubernetes-admin@demo", ""},
		"others":            {others, "prod", ""},
		"a context gone":    {"current-context: gone\n", "kubernetes-admin@demo", ""},
		"no YAML":           {"a: [", "", "not YAML"},
		"another document":  {"kind: Pod\n", "", "of kind Pod"},
		"several documents": {"kind: Config\n---\nkind: Config\n", "", "more than one"},
		"a list":            {"[a, b]\n", "", "no kubeconfig"},
		"lists that are no": {"clusters: {a: b}\n", "", "no list"},
		// The value that has the anchor is replaced: the alias would refer to nothing.
		"a lost anchor": {"contexts: [{name: kubernetes-admin@demo, context: {cluster: &a demo}}]\nx: *a\n", "", "anchor"},
	} {
		folder := t.TempDir()
		real, link := filepath.Join(folder, "real"), filepath.Join(folder, "config")
		if err := os.WriteFile(real, []byte(test.existing), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(real, link); err != nil {
			t.Fatal(err)
		}
		current, err := mergeInto(sudoer{}, link, ours.text, ours.ca, false)
		content, reading := os.ReadFile(real)
		if reading != nil {
			t.Fatal(reading)
		}
		if test.says != "" {
			if err == nil || !strings.Contains(err.Error(), test.says) || string(content) != test.existing {
				t.Errorf("%s: want %q, got %v, and the file is\n%s", name, test.says, err, content)
			}
			continue
		}
		if err != nil || current != test.current {
			t.Errorf("%s: the current context is %q: %v", name, current, err)
		}
		if config, err := clientcmd.Load(content); err != nil || config.Contexts["kubernetes-admin@demo"] == nil {
			t.Errorf("%s: %v\n%s", name, err, content)
		}
		if strings.Contains(test.existing, "# mine") && !strings.Contains(string(content), "# mine\n") {
			t.Errorf("%s: its comment is lost:\n%s", name, content)
		}
		info, err := os.Stat(real)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
		if entries, err := os.ReadDir(folder); err != nil || len(entries) != 2 {
			t.Errorf("%s: beside it there is %v, %v", name, entries, err)
		}
	}
}

func TestAKubeconfigThatSomebodyElseChangesIsLeft(t *testing.T) {
	ours := newKubeconfig(t, "demo", "https://127.0.0.1:8443", "")
	for name, to := range map[string]string{"a file": "", "a link": "dotfiles/kube", "a link to what is not there": "none/kube"} {
		folder := t.TempDir()
		file := filepath.Join(folder, "config")
		if err := os.Mkdir(filepath.Join(folder, "dotfiles"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, "dotfiles", "kube"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if to != "" {
			if err := os.Symlink(to, file); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(file+".lock", nil, 0o600); err != nil { // kubectl's, by the name that it was given
			t.Fatal(err)
		}
		if _, err := mergeInto(sudoer{}, file, ours.text, ours.ca, false); err == nil || !strings.Contains(err.Error(), ".lock") {
			t.Errorf("%s, with kubectl's lock: %v", name, err)
		}
		if err := os.Remove(file + ".lock"); err != nil {
			t.Errorf("%s: the lock of another is gone: %v", name, err)
		}
		if _, err := mergeInto(sudoer{}, file, ours.text, ours.ca, false); err != nil {
			t.Errorf("%s, without the lock: %v", name, err)
		}
		if now, _ := os.Readlink(file); now != to {
			t.Errorf("%s: it leads to %q now, and not to %q", name, now, to)
		}
		if content, err := os.ReadFile(file); err != nil || !bytes.Contains(content, []byte("kubernetes-admin@demo")) {
			t.Errorf("%s: %v\n%s", name, err, content)
		}
	}
}

// TestUnderSudoAUsersKubeconfigStaysTheirs has root write for a user; where the tests are not
// root's, the user is who runs them.
func TestUnderSudoAUsersKubeconfigStaysTheirs(t *testing.T) {
	ours := newKubeconfig(t, "demo", "https://127.0.0.1:8443", "")
	self, user, other := os.Geteuid(), 4711, 4713
	if self != 0 {
		user, other = self, self
	}
	for name, test := range map[string]struct {
		file  string // in the home; with .. in front beside it
		owner int    // of what is there; -1: nothing
		home  bool   // it is known
		want  int
	}{
		"their own":                       {"config", user, true, user},
		"their own, elsewhere":            {"../config", user, true, user},
		"their own, the home is unknown":  {"config", user, false, user},
		"another's":                       {"config", other, true, self},
		"a new one":                       {"config", -1, true, user},
		"a new one in a new folder":       {".kube/deep/config", -1, true, user},
		"a new one elsewhere":             {"../new/config", -1, true, self},
		"a new one, the home is unknown":  {".kube/config", -1, false, self},
		"a new one, where a home's is in": {"../home-too/config", -1, true, self},
	} {
		home := filepath.Join(t.TempDir(), "home")
		if err := os.Mkdir(home, 0o700); err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(home, test.file)
		if test.owner >= 0 {
			if err := errors.Join(os.WriteFile(file, nil, 0o600), os.Chown(file, test.owner, os.Getegid())); err != nil {
				t.Fatal(err)
			}
		}
		by := sudoer{uid: user, gid: os.Getegid()}
		if test.home {
			by.home = home
		}
		if _, err := mergeInto(by, file, ours.text, ours.ca, false); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		paths := []string{file}
		if test.owner < 0 && filepath.Dir(file) != home {
			paths = append(paths, filepath.Dir(file))
		}
		for _, path := range paths {
			info, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			if got := int(info.Sys().(*syscall.Stat_t).Uid); got != test.want {
				t.Errorf("%s: %s is %d's, want %d", name, path, got, test.want)
			}
		}
	}
}

func TestWhoCalledSudo(t *testing.T) {
	for _, test := range []struct {
		uid, gid string
		want     int // as root
	}{{"", "", 0}, {"1000", "1001", 1000}, {"0", "0", 0}, {"-1", "5", 0}, {"1000", "", 0}, {"ann", "ann", 0}} {
		t.Setenv("SUDO_UID", test.uid)
		t.Setenv("SUDO_GID", test.gid)
		want := test.want
		if os.Geteuid() != 0 {
			want = 0
		}
		if got := callerOfSudo().uid; got != want {
			t.Errorf("SUDO_UID=%q, SUDO_GID=%q: %d, want %d", test.uid, test.gid, got, want)
		}
	}
}

func TestOwnKubeconfigIsKubectls(t *testing.T) {
	folder := t.TempDir()
	t.Setenv("HOME", folder)
	there, second, absent := filepath.Join(folder, "a"), filepath.Join(folder, "b"), filepath.Join(folder, "c")
	for file, text := range map[string]string{there: others, second: "clusters: [{name: demo, cluster: {}}]\n"} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct{ variable, name, want string }{
		{"", "demo", filepath.Join(folder, ".kube", "config")},
		{absent, "demo", absent},
		{there + ":" + second, "new", there},
		{there + ":" + second, "demo", second},
		{absent + "::" + there, "new", there},
		{absent + ":" + absent + "2", "new", absent + "2"},
	} {
		t.Setenv("KUBECONFIG", test.variable)
		if got, err := ownKubeconfig(test.name); err != nil || got != test.want {
			t.Errorf("KUBECONFIG=%s, %s: %s, %v; want %s", test.variable, test.name, got, err, test.want)
		}
	}
}
