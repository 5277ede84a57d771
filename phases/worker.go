package phases

import "slices"

// joinWorkers brings workers all the way to a running kubelet.
func (d *draft) joinWorkers() {
	ahead := slices.Concat(d.planes, d.balancers)
	apis := d.inCluster(awaitsAPI)
	for _, h := range d.workers {
		h.install()
		h.awaitEndpoint(apis)
		h.startWorker(apis, ahead)
		h.tidy()
	}
}

// startWorker starts a worker's kubelet. Where the plan starts API servers (apis are the waits
// for them) and balancers of ours lead to them, that is when the first of the control planes'
// and of the balancers ahead of it do: it then registers as soon as they, with an API server
// that is not ready yet. Else it waits until the endpoint answers.
func (h *hostDraft) startWorker(apis []string, ahead []*hostDraft) {
	reached := h.made(awaitsEndpoint)
	switch {
	case len(apis) > 0 && len(h.in.Cluster.Balancers()) > 0:
		h.startKubelet(h.made(startsBalancer), serving(ahead), holding(ahead))
	case len(reached) > 0:
		h.startKubelet(reached)
	default:
		h.startKubelet(nil, apis)
	}
}

// serving lists the steps after which control planes bring up their API servers; none where
// one of them runs already.
func serving(drafts []*hostDraft) []string {
	for _, h := range drafts {
		if h.runsControlPlane() && !h.makes(startsKubelet) {
			return nil
		}
	}
	return madeOn(drafts, startsKubelet)
}
