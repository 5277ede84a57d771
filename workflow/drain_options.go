package workflow

import (
	"time"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// DrainRequest is what a command says of how hosts are drained. What it does not say the cluster
// file says.
type DrainRequest struct {
	GracePeriod        *int // seconds; less than 0: as each Pod says
	Timeout            *time.Duration
	DeleteEmptyDirData bool
	PodSelector        string
	SkipWait           int // seconds
	DisableEviction    bool
	OnBlocked          string
	ForceAfter         *time.Duration
}

// drainOptions are how hosts are drained: as the command says or, where it does not, as the file.
func (s *Session) drainOptions(said DrainRequest, force bool) (plan.DrainOptions, cluster.OnBlocked) {
	file := s.cluster.Drain
	options := plan.DrainOptions{
		Timeout: seconds(time.Duration(file.Timeout)), Force: force || file.Force,
		DeleteEmptyDirData: said.DeleteEmptyDirData || file.DeleteEmptyDirData,
		PodSelector:        said.PodSelector, SkipWaitForDelete: said.SkipWait, DisableEviction: said.DisableEviction,
	}
	if said.Timeout != nil {
		options.Timeout = seconds(*said.Timeout)
	}
	switch {
	case said.GracePeriod == nil && file.GracePeriod > 0:
		options.GracePeriod = new(seconds(time.Duration(file.GracePeriod)))
	case said.GracePeriod != nil && *said.GracePeriod >= 0:
		options.GracePeriod = said.GracePeriod
	}
	onBlocked := file.OnBlocked
	if said.OnBlocked != "" {
		onBlocked = cluster.OnBlocked(said.OnBlocked)
	}
	if onBlocked == cluster.OnBlockedForce {
		options.ForceAfter = seconds(time.Duration(file.ForceAfter))
		if said.ForceAfter != nil {
			options.ForceAfter = seconds(*said.ForceAfter)
		}
	}
	return options, onBlocked
}

// seconds rounds down: a limit is not passed.
func seconds(d time.Duration) int { return int(d / time.Second) }
