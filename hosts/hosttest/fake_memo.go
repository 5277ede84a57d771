package hosttest

import (
	"crypto/tls"
	"sync"

	"sigs.k8s.io/yaml"
)

// Machines are looked at over and over, and what lies on them is mostly the same: what it
// takes long to judge is judged once.
var (
	knownPairs       sync.Map // certificate and key → whether they belong together
	knownKubeconfigs sync.Map // content → readKubeconfig
)

// pairs tells whether a key is a certificate's.
func pairs(cert, key []byte) bool {
	id := string(cert) + "\x00" + string(key)
	if known, ok := knownPairs.Load(id); ok {
		return known.(bool)
	}
	_, err := tls.X509KeyPair(cert, key)
	knownPairs.Store(id, err == nil)
	return err == nil
}

// readKubeconfig is a kubeconfig, or why it cannot be read as one.
type readKubeconfig struct {
	file kubeconfigFile
	err  error
}

func parseKubeconfig(content []byte) (kubeconfigFile, error) {
	if known, ok := knownKubeconfigs.Load(string(content)); ok {
		read := known.(readKubeconfig)
		return read.file, read.err
	}
	var read readKubeconfig
	read.err = yaml.Unmarshal(content, &read.file)
	knownKubeconfigs.Store(string(content), read)
	return read.file, read.err
}
