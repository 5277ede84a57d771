package store

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/slipway-k8s/slipway/certs"
)

var errCrash = errors.New("crash")

// crashAt ends the nth act of writing; it tells how many there were.
func crashAt(t *testing.T, nth int) *int {
	t.Helper()
	acts := 0
	testOnlyFault = func(string, string) error {
		acts++
		if acts == nth {
			return errCrash
		}
		return nil
	}
	t.Cleanup(func() { testOnlyFault = nil })
	return &acts
}

// However far it came, a Create that was cut off has either kept nothing or everything,
// and the next one goes through.
func TestCreateCutOffAnywhere(t *testing.T) {
	pki := mintPKI(t)
	for nth := 1; ; nth++ {
		s := open(t)
		crashAt(t, nth)
		_, err := s.Create("demo", pki)
		testOnlyFault = nil
		if err == nil {
			if nth < 12 {
				t.Fatalf("only %d acts: the fault is not where it should be", nth-1)
			}
			return
		}
		if !errors.Is(err, errCrash) {
			t.Fatalf("act %d: %v", nth, err)
		}
		// A process that is killed leaves what it was writing.
		leaveHalf(t, s)
		if folder, err := s.Load("demo"); err == nil {
			same(t, folder, pki)
		} else if !errors.Is(err, ErrNotFound) {
			t.Errorf("act %d: half a cluster is found: %v", nth, err)
		}
		folder, err := s.Create("demo", pki)
		if err != nil {
			t.Fatalf("act %d: not created afterwards: %v", nth, err)
		}
		same(t, folder, pki)
		if got, err := s.Load("demo"); err != nil || got.ID() != folder.ID() {
			t.Errorf("act %d: not found afterwards: %v", nth, err)
		}
	}
}

// leaveHalf puts down what a killed process would have left.
func leaveHalf(t *testing.T, s *Store) {
	t.Helper()
	half := filepath.Join(s.root, ".new-123", "pki")
	if err := os.MkdirAll(half, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{filepath.Join(half, "ca.crt"), filepath.Join(s.root, "current", ".new-456")} {
		if err := os.WriteFile(path, []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestALeafCutOffIsTheOldOne(t *testing.T) {
	s, pki := open(t), mintPKI(t)
	folder := create(t, s, "demo", pki)
	old, newer := mintLeaf(t, pki, certs.Admin), mintLeaf(t, pki, certs.Admin)
	if err := folder.SaveLeaves("cp-1", old); err != nil {
		t.Fatal(err)
	}
	crashAt(t, 1)
	if err := folder.SaveLeaves("cp-1", newer); !errors.Is(err, errCrash) {
		t.Fatal(err)
	}
	testOnlyFault = nil
	got, ok, err := folder.Leaf("cp-1", certs.Admin)
	if !ok || err != nil || string(got.Cert) != string(old.Cert) || string(got.Key) != string(old.Key) {
		t.Errorf("not the old one: %v, %v", ok, err)
	}
}

func truncate(name string) func(*testing.T, string) {
	return func(t *testing.T, folder string) {
		if err := os.Truncate(filepath.Join(folder, name), 40); err != nil {
			t.Fatal(err)
		}
	}
}

func remove(name string) func(*testing.T, string) {
	return func(t *testing.T, folder string) {
		if err := os.Remove(filepath.Join(folder, name)); err != nil {
			t.Fatal(err)
		}
	}
}

func write(name string, content []byte) func(*testing.T, string) {
	return func(t *testing.T, folder string) {
		if err := os.WriteFile(filepath.Join(folder, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestDamagedPKIs(t *testing.T) {
	pki, other := mintPKI(t), mintPKI(t)
	tests := map[string]struct {
		harm func(t *testing.T, folder string)
		want string
	}{
		"CA truncated":           {truncate("pki/ca.crt"), "check ca: parse certificate"},
		"key truncated":          {truncate("pki/etcd/ca.key"), "check etcd/ca: parse private key"},
		"key missing":            {remove("pki/front-proxy-ca.key"), "front-proxy-ca.key: no such file"},
		"public key missing":     {remove("pki/sa.pub"), "sa.pub: no such file"},
		"key of another cluster": {write("pki/ca.key", other.CA.Key), "does not belong to the certificate"},
		"secret missing":         {remove("secret"), "secret: no such file"},
		"secret short":           {write("secret", []byte("abcd\n")), "check secret: 2 bytes"},
		"secret no hex":          {write("secret", []byte("xyz\n")), "not hexadecimal"},
		"another cluster's CA": {func(t *testing.T, folder string) {
			write("pki/ca.crt", other.CA.Cert)(t, folder)
			write("pki/ca.key", other.CA.Key)(t, folder)
		}, "its CA is of cluster"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := open(t)
			folder := create(t, s, "demo", pki)
			test.harm(t, folder.Path())
			loaded, err := s.Load("demo")
			if err != nil {
				t.Fatal(err)
			}
			_, err = loaded.PKI()
			var damaged *Damaged
			if !errors.As(err, &damaged) || !strings.Contains(err.Error(), test.want) || damaged.Path != folder.Path() {
				t.Errorf("got %v, want *Damaged with %q", err, test.want)
			}
			if _, err := s.Create("demo", pki); err == nil {
				t.Error("Create was content with a damaged folder")
			}
		})
	}
}

func TestDamagedIdentitiesAndLeaves(t *testing.T) {
	pki := mintPKI(t)
	t.Run("identity", func(t *testing.T) {
		s := open(t)
		folder := create(t, s, "demo", pki)
		truncate("cluster")(t, folder.Path())
		var damaged *Damaged
		if _, err := s.Load("demo"); !errors.As(err, &damaged) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("leaf", func(t *testing.T) {
		folder := create(t, open(t), "demo", pki)
		if err := folder.SaveLeaves("cp-1", mintLeaf(t, pki, certs.EtcdPeer)); err != nil {
			t.Fatal(err)
		}
		truncate("leaves/cp-1/etcd/peer.pem")(t, folder.Path())
		if _, ok, err := folder.Leaf("cp-1", certs.EtcdPeer); ok || err != nil {
			t.Errorf("a damaged leaf must count as none: %v, %v", ok, err)
		}
	})
}

func TestExposedSecretsAreRefused(t *testing.T) {
	pki := mintPKI(t)
	for _, name := range []string{".", "pki/ca.key", "pki/sa.key", "secret", "pki/ca.crt"} {
		t.Run(name, func(t *testing.T) {
			s := open(t)
			folder := create(t, s, "demo", pki)
			path := filepath.Join(folder.Path(), name)
			mode := os.FileMode(0o644)
			if name == "." {
				mode = 0o755
			}
			if err := os.Chmod(path, mode); err != nil {
				t.Fatal(err)
			}
			_, err := folder.PKI()
			var exposed *Exposed
			if !errors.As(err, &exposed) || exposed.Path != path || !strings.Contains(err.Error(), "chmod -R go-rwx "+path) {
				t.Errorf("got %v", err)
			}
		})
	}
	t.Run("leaf", func(t *testing.T) {
		folder := create(t, open(t), "demo", pki)
		if err := folder.SaveLeaves("cp-1", mintLeaf(t, pki, certs.Admin)); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(filepath.Join(folder.Path(), "leaves/cp-1/admin.conf.pem"), 0o640); err != nil {
			t.Fatal(err)
		}
		var exposed *Exposed
		if _, _, err := folder.Leaf("cp-1", certs.Admin); !errors.As(err, &exposed) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("root", func(t *testing.T) {
		s := open(t)
		if err := os.Chmod(s.root, 0o777); err != nil {
			t.Fatal(err)
		}
		var exposed *Exposed
		if _, err := Open(s.root); !errors.As(err, &exposed) {
			t.Errorf("got %v", err)
		}
	})
}
