package hosttest

import (
	"sync"

	"github.com/slipway-k8s/slipway/hosts"
)

// known is what was computed once: tests observe many machines with the same files many times.
var known sync.Map

func once[T any](id string, compute func() T) T {
	if value, ok := known.Load(id); ok {
		return value.(T)
	}
	value := compute()
	known.Store(id, value)
	return value
}

// pairs is hosts.KeyMatches.
func pairs(cert, key []byte) bool {
	return once("pair "+string(cert)+"\x00"+string(key), func() bool { return hosts.KeyMatches(cert, key) })
}

// readKubeconfig is a kubeconfig, or why it cannot be read as one.
type readKubeconfig struct {
	file hosts.KubeconfigFile
	err  error
}

func parseKubeconfig(content []byte) (hosts.KubeconfigFile, error) {
	read := once("kubeconfig "+string(content), func() (read readKubeconfig) {
		read.file, read.err = hosts.ParseKubeconfig(content)
		return read
	})
	return read.file, read.err
}
