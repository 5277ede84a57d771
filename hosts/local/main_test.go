//go:build linux

package local_test

import (
	"os"
	"testing"

	"github.com/slipway-k8s/slipway/hosts/hosttest"
)

func TestMain(m *testing.M) { os.Exit(hosttest.RunApart(m)) }
