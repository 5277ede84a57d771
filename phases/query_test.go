package phases

import (
	"slices"
	"testing"

	"github.com/slipway-k8s/slipway/cluster"
)

func TestEtcdIsReachedWhereItsURLsLead(t *testing.T) {
	c := &cluster.Cluster{}
	c.Etcd.External = &cluster.ExternalEtcd{Endpoints: []string{"https://10.0.3.1:2379", "HTTPS://etcd.example:2379/", "https://[fd00::1]:2379"}}
	if got, want := etcdAddresses(c), []string{"10.0.3.1:2379", "etcd.example:2379", "[fd00::1]:2379"}; !slices.Equal(got, want) {
		t.Errorf("asked at %q, want %q", got, want)
	}
}
