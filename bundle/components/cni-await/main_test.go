package main

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/containernetworking/cni/pkg/skel"
	"github.com/containernetworking/cni/pkg/types"
)

// TestAwait: a sandbox is held until the file holds something, and not for ever.
func TestAwait(t *testing.T) {
	path := filepath.Join(t.TempDir(), "subnet.env")
	data := []byte(`{"cniVersion":"0.3.1","name":"cbr0","type":"await-subnet","seconds":1,"subnetFile":"` + path + `"}`)
	var late *types.Error
	if err := add(&skel.CmdArgs{StdinData: data}); !errors.As(err, &late) || late.Code != types.ErrTryAgainLater {
		t.Errorf("without a subnet: %v", err)
	}
	began := time.Now()
	time.AfterFunc(200*time.Millisecond, func() { _ = os.WriteFile(path, []byte("FLANNEL_MTU=1450\n"), 0o600) })
	if err := add(&skel.CmdArgs{StdinData: data}); err != nil || time.Since(began) < 200*time.Millisecond {
		t.Errorf("after %s: %v", time.Since(began), err)
	}
	if err := add(&skel.CmdArgs{StdinData: []byte("{")}); err == nil {
		t.Error("half a configuration is taken")
	}
}
