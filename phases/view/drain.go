package view

import (
	"slices"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/phases/forecast"
)

// Forecast plays the drains of sets of hosts, one after another, by what was seen of the cluster.
func (v View) Forecast(sets ...forecast.Set) (forecast.Forecast, error) {
	if v.Workloads == nil {
		return forecast.Forecast{Hosts: []forecast.Host{}}, nil
	}
	return forecast.Make(*v.Workloads, sets, forecast.Options{DrainOptions: v.Drain, Now: v.Now})
}

// DrainForecast is what draining hosts together will do, which stay cordoned. Where the user wants
// those left out whose drain would not end, they are in left and nothing else knows of them: with
// fewer hosts the others' Pods may find room.
func (v View) DrainForecast(names []string) (f forecast.Forecast, left []forecast.Host, err error) {
	for {
		f, err = v.Forecast(forecast.Set{Hosts: names})
		blocked := f.Blocked()
		if err != nil || v.OnBlocked != cluster.OnBlockedSkip || len(blocked) == 0 {
			return f, left, err
		}
		for _, name := range blocked {
			left = append(left, f.Of(name))
		}
		names = slices.DeleteFunc(slices.Clone(names), func(name string) bool { return slices.Contains(blocked, name) })
	}
}

// TargetNames are the names of the hosts that a workflow is for.
func (v View) TargetNames(workflow Workflow) []string {
	var names []string
	for _, host := range v.Targets(workflow) {
		names = append(names, host.Name)
	}
	return names
}
