package hosttest

import (
	"sync"

	"github.com/slipway-k8s/slipway/hosts"
)

// Tests observe many machines with the same files many times: what takes long is computed once.
var (
	knownPairs       sync.Map // certificate and key → whether they belong together
	knownKubeconfigs sync.Map // content → readKubeconfig
)

// pairs is hosts.KeyMatches.
func pairs(cert, key []byte) bool {
	id := string(cert) + "\x00" + string(key)
	if known, ok := knownPairs.Load(id); ok {
		return known.(bool)
	}
	matches := hosts.KeyMatches(cert, key)
	knownPairs.Store(id, matches)
	return matches
}

// readKubeconfig is a kubeconfig, or why it cannot be read as one.
type readKubeconfig struct {
	file hosts.KubeconfigFile
	err  error
}

func parseKubeconfig(content []byte) (hosts.KubeconfigFile, error) {
	if known, ok := knownKubeconfigs.Load(string(content)); ok {
		read := known.(readKubeconfig)
		return read.file, read.err
	}
	var read readKubeconfig
	read.file, read.err = hosts.ParseKubeconfig(content)
	knownKubeconfigs.Store(string(content), read)
	return read.file, read.err
}
