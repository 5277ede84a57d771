package workflow

import (
	"fmt"
	"testing"

	"github.com/slipway-k8s/slipway/cluster"
)

// TestWorkersAtOnceAreAsAskedForOrAsTheFileSays: a share is one of the workers, and of at least one.
func TestWorkersAtOnceAreAsAskedForOrAsTheFileSays(t *testing.T) {
	c := &cluster.Cluster{Hosts: []cluster.Host{{Name: "cp-1", Roles: []cluster.Role{cluster.RoleControlPlane}}}}
	for i := range 20 {
		c.Hosts = append(c.Hosts, cluster.Host{Name: fmt.Sprintf("w-%d", i), Roles: []cluster.Role{cluster.RoleWorker}})
	}
	for _, test := range []struct {
		asked, file string
		want        int // 0: an error, unless nothing is said
	}{
		{"", "", 0}, {"3", "", 3}, {"", "10%", 2}, {"3", "10%", 3}, {"1%", "", 1}, {"100%", "", 20},
		{"0", "", 0}, {"0%", "", 0}, {"101%", "", 0}, {"-1", "", 0}, {"+1", "", 0}, {"many", "", 0},
	} {
		c.Upgrade.WorkersAtOnce = test.file
		got, err := workersAtOnce(c, Request{WorkersAtOnce: test.asked})
		if got != test.want || (err != nil) != (test.want == 0 && test.asked+test.file != "") {
			t.Errorf("asked %q, the file says %q: %d, %v", test.asked, test.file, got, err)
		}
	}
}
