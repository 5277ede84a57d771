package cluster

import (
	"strings"
	"testing"
)

func TestTimeouts(t *testing.T) {
	for name, test := range map[string]struct{ section, want string }{
		"nothing said":             {"", ""},
		"a slow host":              {"timeouts: {controlPlaneComponentHealthCheck: 20m, withoutProgress: 10m, limit: 2h}", ""},
		"a short limit alone":      {"timeouts: {limit: 5m}", ""},
		"a long health check":      {"timeouts: {controlPlaneComponentHealthCheck: 1h}", ""},
		"a probe that never waits": {"timeouts: {controlPlaneComponentHealthCheck: 10s}", "timeouts.controlPlaneComponentHealthCheck: 10s is too short; write at least 30s; it is 10m unless said"},
		"a kubelet in no time":     {"timeouts: {kubeletHealthCheck: 1s}", "timeouts.kubeletHealthCheck: 1s is too short"},
		"less than two looks":      {"timeouts: {withoutProgress: 5s}", "timeouts.withoutProgress: 5s is too short"},
		"less than nothing":        {"timeouts: {kubernetesAPICall: -1s}", "timeouts.kubernetesAPICall: -1s is too short"},
		"more than a day":          {"timeouts: {etcdAPICall: 25h}", "timeouts.etcdAPICall: 25h is too long; write at most 24h; it is 30s unless said"},
		"a limit before the quiet": {"timeouts: {withoutProgress: 10m, limit: 5m}", "timeouts.limit: 5m is over before it; write at least withoutProgress, 10m"},
		"kubeadm's bootstrap":      {"timeouts: {tlsBootstrap: 5m}", "kubeletHealthCheck is for the node"},
		"kubeadm's discovery":      {"timeouts: {discovery: 5m}", "discovers none"},
		"kubeadm's upgrade":        {"timeouts: {upgradeManifests: 5m}", "write controlPlaneComponentHealthCheck"},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := Load([]byte(minimal + test.section + "\n"))
			switch {
			case test.want == "" && err != nil:
				t.Fatal(err)
			case test.want == "":
				if c.Timeouts.Limit < c.Timeouts.WithoutProgress || c.Timeouts.ControlPlaneComponentHealthCheck == 0 {
					t.Errorf("the defaults are %+v", c.Timeouts)
				}
			case err == nil || !strings.Contains(err.Error(), test.want):
				t.Errorf("the error is %v; it should say %q", err, test.want)
			}
		})
	}
}
