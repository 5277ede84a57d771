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

// TurnsForecast is what a plan that takes hosts in turns will do with its drains: each set of hosts takes
// Pods again before the next one goes. No host is left out, and so that is not offered.
func (v View) TurnsForecast() (forecast.Forecast, error) {
	if v.Workloads == nil {
		return forecast.Forecast{Hosts: []forecast.Host{}}, nil
	}
	options := forecast.Options{DrainOptions: v.Drain, Now: v.Now, Cordoned: map[string]bool{}}
	for _, node := range v.ClusterFacts.Nodes {
		if _, rebooting := CordonedForReboot(node); node.CordonedBy == string(Upgrade) || rebooting {
			options.Cordoned[node.Name] = true
		}
	}
	f, err := forecast.Make(*v.Workloads, v.Drains, options)
	for _, host := range f.Hosts {
		withoutSkip(host.Notes)
		for _, pod := range host.Pods {
			withoutSkip(pod.Notes)
		}
	}
	return f, err
}

func withoutSkip(notes []forecast.Note) {
	for i := range notes {
		notes[i].May = slices.DeleteFunc(slices.Clone(notes[i].May), func(may forecast.Choice) bool { return may == forecast.Skip })
	}
}
