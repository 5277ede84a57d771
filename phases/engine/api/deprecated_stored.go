package api

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/hosts"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/version"
	"k8s.io/client-go/kubernetes/scheme"
)

// storedAPIs finds what of Kubernetes' own has objects and is served by no version any more from a minor
// version on, as far as the client library knows it. Nothing of it is asked for: that would count as a
// request for what goes away.
func (c *Client) storedAPIs(ctx context.Context, minor string, objects map[schema.GroupResource]int) ([]hosts.StoredAPI, error) {
	target, err := version.ParseGeneric(minor)
	if err != nil {
		return nil, err
	}
	var served metav1.APIGroupList
	if err := c.read(ctx, "/apis", &served); err != nil {
		return nil, err
	}
	var found []hosts.StoredAPI
	for _, group := range served.Groups {
		for _, one := range group.Versions {
			if !goesAway(group.Name, one.Version, target) {
				continue
			}
			stored, err := c.storedIn(ctx, group, one.Version, target, objects)
			if err != nil {
				return found, err
			}
			found = append(found, stored...)
		}
	}
	return found, nil
}

// storedIn finds them among what one version of a group serves.
func (c *Client) storedIn(ctx context.Context, group metav1.APIGroup, in string, target *version.Version, objects map[schema.GroupResource]int) ([]hosts.StoredAPI, error) {
	var resources metav1.APIResourceList
	if err := c.read(ctx, "/apis/"+group.Name+"/"+in, &resources); err != nil {
		return nil, err
	}
	var found []hosts.StoredAPI
	for _, resource := range resources.APIResources {
		kind := schema.GroupVersionKind{Group: group.Name, Version: in, Kind: resource.Kind}
		n := objects[schema.GroupResource{Group: group.Name, Resource: resource.Name}]
		if removed := removedIn(kind); n != 0 && removed != nil && !target.LessThan(removed) && !stays(group, resource.Kind, target) {
			found = append(found, hosts.StoredAPI{API: hosts.API{Group: group.Name, Version: in, Resource: resource.Name}, Removed: releaseOf(removed), Objects: n})
		}
	}
	return found, nil
}

// goesAway tells whether a version of a group has a kind that the minor version does not serve.
func goesAway(group, of string, target *version.Version) bool {
	for kind := range scheme.Scheme.KnownTypes(schema.GroupVersion{Group: group, Version: of}) {
		if removed := removedIn(schema.GroupVersionKind{Group: group, Version: of, Kind: kind}); removed != nil && !target.LessThan(removed) {
			return true
		}
	}
	return false
}

// stays tells whether the minor version serves a kind in another version: one that is stable, or that is
// served now already.
func stays(group metav1.APIGroup, kind string, target *version.Version) bool {
	for _, other := range scheme.Scheme.PrioritizedVersionsForGroup(group.Name) {
		gvk := other.WithKind(kind)
		if !scheme.Scheme.Recognizes(gvk) {
			continue
		}
		served := slices.ContainsFunc(group.Versions, func(v metav1.GroupVersionForDiscovery) bool { return v.Version == other.Version })
		stable := !strings.Contains(other.Version, "alpha") && !strings.Contains(other.Version, "beta")
		if removed := removedIn(gvk); (served || stable) && (removed == nil || target.LessThan(removed)) {
			return true
		}
	}
	return false
}

// removedIn is the minor version that does not serve a kind any more, as its type says it; nil: none is set.
func removedIn(kind schema.GroupVersionKind) *version.Version {
	object, err := scheme.Scheme.New(kind)
	if err != nil {
		return nil
	}
	known, is := object.(interface{ APILifecycleRemoved() (major, minor int) })
	if !is {
		return nil
	}
	major, minor := known.APILifecycleRemoved()
	return version.MajorMinor(uint(major), uint(minor))
}

func releaseOf(v *version.Version) string { return fmt.Sprintf("%d.%d", v.Major(), v.Minor()) }
