package phases

import (
	"time"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// againQuiet is how long, in seconds, a static Pod that may have ended again and again is waited for while
// nothing moves: between two starts of it the kubelet waits up to 300 s.
const againQuiet = 330

// endpointQuiet is the least, in seconds, that an endpoint is waited for while nothing moves: a balancer
// of the user's own may look for an API server that answers only every half a minute.
const endpointQuiet = 120

func seconds(d cluster.Duration) int { return int(time.Duration(d) / time.Second) }

// limit is how long, in seconds, a wait may take whatever moves.
func (in Input) limit() int { return seconds(in.Cluster.Timeouts.Limit) }

// podPatience is that of waits for what runs as static Pods.
func (in Input) podPatience() plan.Patience {
	return plan.Patience{
		Quiet: seconds(in.Cluster.Timeouts.WithoutProgress), Busy: seconds(in.Cluster.Timeouts.ControlPlaneComponentHealthCheck),
	}
}

// againPatience is that of waits for static Pods which may have ended again and again.
func (in Input) againPatience() plan.Patience {
	patience := in.podPatience()
	patience.Quiet = max(patience.Quiet, againQuiet)
	return patience
}

// nodePatience is that of waits for nodes, and for what is rolled out onto them.
func (in Input) nodePatience() plan.Patience {
	return plan.Patience{Quiet: seconds(in.Cluster.Timeouts.WithoutProgress), Busy: seconds(in.Cluster.Timeouts.KubeletHealthCheck)}
}

// endpointPatience is that of waits for the endpoint. Who is busy there says nothing: only what is new does.
func (in Input) endpointPatience() plan.Patience {
	return plan.Patience{Quiet: max(seconds(in.Cluster.Timeouts.WithoutProgress), endpointQuiet)}
}
