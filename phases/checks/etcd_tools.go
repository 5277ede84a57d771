package checks

import (
	"fmt"

	"github.com/slipway-k8s/slipway/certs"
	"github.com/slipway-k8s/slipway/cluster"
)

// etcdctl is a command of etcdctl's as it works when it is typed on a control plane, which has the program of the
// bundle: etcd answers by TLS alone, and only those that show a certificate of its CA.
func etcdctl(words string) string {
	client, _ := certs.Find(certs.EtcdHealthcheckClient)
	return fmt.Sprintf("etcdctl --endpoints=https://localhost:%d --cacert=%s --cert=%s --key=%s %s",
		cluster.PortEtcdClient, certs.Etcd.CertPath(), client.CertPath(), client.KeyPath(), words)
}

// defragEtcd gives what was compacted back to the disks, of all members one after another: each may take a while.
var defragEtcd = etcdctl("--command-timeout=5m defrag --cluster")

// freeEtcd makes room in etcd's database and has it take writes again. While its quota is reached the API servers
// cannot note that they compact it, and do not.
var freeEtcd = etcdctl(`compact "$(`+etcdctl("endpoint status -w json")+` | grep -o '"revision":[0-9]*' | grep -o '[0-9]*')"`) +
	"; " + defragEtcd + "; " + etcdctl("alarm disarm")
