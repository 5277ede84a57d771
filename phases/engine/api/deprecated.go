package api

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	dto "github.com/prometheus/client_model/go"
	"github.com/slipway-k8s/slipway/hosts"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// What an API server counts: deprecated APIs that it was asked for since it started, and objects that
// are stored. The second of the counters of objects is for releases that do not have the first.
const (
	requestedAPIs   = "apiserver_requested_deprecated_apis"
	storedObjects   = "apiserver_resource_objects"
	storedObjectsOf = "apiserver_storage_objects"
)

// DeprecatedAPIs looks, before a cluster goes to another minor version (1.38), for what needs APIs that
// go away. Every API server is asked by itself: each has counted only its own clients. What cannot be
// looked at is told in the answer.
func (c *Client) DeprecatedAPIs(ctx context.Context, minor string) hosts.DeprecatedAPIs {
	var found hosts.DeprecatedAPIs
	counted := c.askMetrics(ctx, &found)
	found.Requested = requestedOf(counted)
	for i := range found.Requested {
		if api := &found.Requested[i]; !api.StaysForGood() {
			c.findWriters(ctx, api)
		}
	}
	objects := objectsOf(counted)
	var err error
	if found.Unserved, err = c.unservedVersions(ctx); err != nil {
		found.Unasked = append(found.Unasked, "the CustomResourceDefinitions: "+brief(err))
	}
	if found.Stored, err = c.storedAPIs(ctx, minor, objects); err != nil {
		found.Unasked = append(found.Unasked, "which APIs are served: "+brief(err))
	}
	found.Stored = slices.DeleteFunc(found.Stored, func(api hosts.StoredAPI) bool {
		if api.Objects == uncounted {
			found.Unasked = append(found.Unasked, fmt.Sprintf("how many objects of %s are stored, which goes away: no API server could count them", api.API))
		}
		return api.Objects == uncounted
	})
	return found
}

// askMetrics asks every API server what it has counted, all at once. Answers are by host.
func (c *Client) askMetrics(ctx context.Context, found *hosts.DeprecatedAPIs) map[string]map[string]*dto.MetricFamily {
	answers := map[string]map[string]*dto.MetricFamily{}
	silent := map[string]string{}
	var mu sync.Mutex
	var group sync.WaitGroup
	for name := range c.hosts {
		group.Go(func() {
			families, err := c.metrics(ctx, name, requestedAPIs, storedObjects, storedObjectsOf)
			mu.Lock()
			defer mu.Unlock()
			if answers[name] = families; err != nil {
				silent[name] = brief(err)
			}
		})
	}
	group.Wait()
	for _, name := range slices.Sorted(maps.Keys(silent)) {
		found.Unasked = append(found.Unasked, "what the API server on "+name+" was asked for: "+silent[name])
	}
	return answers
}

// requestedOf puts together what all API servers have counted, sorted by the APIs' names.
func requestedOf(counted map[string]map[string]*dto.MetricFamily) []hosts.RequestedAPI {
	all := map[hosts.API]*hosts.RequestedAPI{}
	for _, host := range slices.Sorted(maps.Keys(counted)) {
		for _, metric := range counted[host][requestedAPIs].GetMetric() {
			if metric.GetGauge().GetValue() == 0 {
				continue
			}
			api := hosts.API{Group: label(metric, "group"), Version: label(metric, "version"), Resource: label(metric, "resource")}
			one := all[api]
			if one == nil {
				one = &hosts.RequestedAPI{API: api, Removed: label(metric, "removed_release")}
				all[api] = one
			}
			if !slices.Contains(one.Servers, host) { // its subresources are counted apart
				one.Servers = append(one.Servers, host)
			}
		}
	}
	var requested []hosts.RequestedAPI
	for _, one := range all {
		requested = append(requested, *one)
	}
	slices.SortFunc(requested, func(a, b hosts.RequestedAPI) int { return strings.Compare(a.String(), b.String()) })
	return requested
}

// uncounted is what an API server says instead of a number of objects that it could not count.
const uncounted = -1

// objectsOf is how many objects are stored, by resource, or uncounted where no API server could count them.
func objectsOf(counted map[string]map[string]*dto.MetricFamily) map[schema.GroupResource]int {
	objects := map[schema.GroupResource]int{}
	note := func(of schema.GroupResource, metric *dto.Metric) {
		n := int(metric.GetGauge().GetValue())
		if before, known := objects[of]; !known || n > before {
			objects[of] = n
		}
	}
	for _, families := range counted {
		for _, metric := range families[storedObjects].GetMetric() {
			note(schema.GroupResource{Group: label(metric, "group"), Resource: label(metric, "resource")}, metric)
		}
		for _, metric := range families[storedObjectsOf].GetMetric() {
			note(schema.ParseGroupResource(label(metric, "resource")), metric)
		}
	}
	return objects
}

// definition is what is read of a CustomResourceDefinition.
type definition struct {
	Metadata struct{ Name string }
	Spec     struct {
		Versions []struct {
			Name   string
			Served bool
		}
	}
	Status struct{ StoredVersions []string }
}

// unservedVersions finds the versions in which custom resources may be stored, and that are not served.
func (c *Client) unservedVersions(ctx context.Context) ([]hosts.UnservedVersion, error) {
	const few = 20 // at once: their schemas are long
	lists, err := pagesOf(ctx, c, definitionsPath, "", few, partsSeen, func(crd definition) []hosts.UnservedVersion {
		var unserved []hosts.UnservedVersion
		for _, stored := range crd.Status.StoredVersions {
			at := slices.IndexFunc(crd.Spec.Versions, func(v struct {
				Name   string
				Served bool
			}) bool {
				return v.Name == stored
			})
			if at < 0 || !crd.Spec.Versions[at].Served {
				unserved = append(unserved, hosts.UnservedVersion{Definition: crd.Metadata.Name, Version: stored})
			}
		}
		return unserved
	})
	found := slices.Concat(lists...)
	slices.SortFunc(found, func(a, b hosts.UnservedVersion) int {
		return cmp.Or(strings.Compare(a.Definition, b.Definition), strings.Compare(a.Version, b.Version))
	})
	return found, err
}
