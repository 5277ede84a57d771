package checks

import (
	"testing"

	"github.com/slipway-k8s/slipway/bundle"
	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/view"
)

func TestWhatStillNeedsAPIsThatGoAway(t *testing.T) {
	v := func(seen hosts.DeprecatedAPIs) view.View {
		return view.View{Cluster: &cluster.Cluster{}, Bill: bundle.Bill{KubernetesVersion: "v1.37.2"}, ClusterFacts: hosts.ClusterFacts{DeprecatedAPIs: &seen}}
	}
	requested := func(removed string, writers ...hosts.Writer) hosts.DeprecatedAPIs {
		return hosts.DeprecatedAPIs{Requested: []hosts.RequestedAPI{{
			API: hosts.API{Group: "policy", Version: "v1beta1", Resource: "poddisruptionbudgets"}, Removed: removed, Servers: []string{"cp-1", "cp-3"}, Writers: writers,
		}}}
	}
	const asked = "policy/v1beta1 poddisruptionbudgets (removed in 1.37): the API servers of cp-1, cp-3 were asked for it since they started; "
	const useAnother = "have them use another version of it (kubectl api-versions); the count ends when an API server starts anew: where nobody asks any more, pass it by --ignore-checks DeprecatedAPIs"
	for name, test := range map[string]struct {
		seen      hosts.DeprecatedAPIs
		severity  Severity // empty: the check's
		want, fix string
	}{
		"removed by the target": {requested("1.37", hosts.Writer{Manager: "helm", Objects: 5, Some: []string{"a/web", "b/db"}}, hosts.Writer{Manager: "argocd", Objects: 1, Some: []string{"a/q"}}), "",
			asked + "objects were written with it by helm (a/web, b/db and 3 more), argocd (a/q)", useAnother},
		"nobody could be seen": {hosts.DeprecatedAPIs{Requested: []hosts.RequestedAPI{{
			API: hosts.API{Group: "example.com", Version: "v1beta1", Resource: "gadgets"}, Servers: []string{"cp-1"}, Unknown: "it answers 404 Not Found",
		}}}, Warning, "example.com/v1beta1 gadgets (deprecated): the API servers of cp-1 were asked for it since they started; who writes by it is not known: it answers 404 Not Found",
			"have them use another version of it in time: v1.37.2 still serves this one"},
		"nobody is seen": {requested("1.37"), "", asked + "no object shows by whom, so it may be one that only reads: an audit log tells", useAnother},
		"removed before": {requested("1.25"), "", "policy/v1beta1 poddisruptionbudgets (removed in 1.25): the API servers of cp-1, cp-3 were asked for it since they started; " +
			"no object shows by whom, so it may be one that only reads: an audit log tells", useAnother},
		"removed later": {requested("1.40"), Warning, "policy/v1beta1 poddisruptionbudgets (removed in 1.40): the API servers of cp-1, cp-3 were asked for it since they started; " +
			"no object shows by whom, so it may be one that only reads: an audit log tells", "have them use another version of it in time: v1.37.2 still serves this one"},
		"deprecated": {requested(""), Warning, "policy/v1beta1 poddisruptionbudgets (deprecated): the API servers of cp-1, cp-3 were asked for it since they started; " +
			"no object shows by whom, so it may be one that only reads: an audit log tells", "have them use another version of it in time: v1.37.2 still serves this one"},
		"stored": {hosts.DeprecatedAPIs{Stored: []hosts.StoredAPI{{API: hosts.API{Group: "certificates.k8s.io", Version: "v1alpha1", Resource: "clustertrustbundles"}, Removed: "1.37", Objects: 2}}}, "",
			"certificates.k8s.io/v1alpha1 clustertrustbundles (removed in 1.37): 2 objects are stored, and v1.37.2 serves them in no version",
			"move what they are for to what has taken their place, and delete them: kubectl get clustertrustbundles.certificates.k8s.io -A"},
		"custom resources": {hosts.DeprecatedAPIs{Unserved: []hosts.UnservedVersion{{Definition: "widgets.example.com", Version: "v1alpha1"}}}, Warning,
			"objects of widgets.example.com may be stored as v1alpha1, which the definition does not serve any more: the next version of what brings it may not read them",
			"write them anew: kubectl get widgets.example.com -A -o json | kubectl replace -f -; then take the version out of the definition's status.storedVersions"},
		"not seen": {hosts.DeprecatedAPIs{Unasked: []string{"what the API server on cp-2 was asked for: connection refused"}}, "",
			"it is not known what the API server on cp-2 was asked for: connection refused", "see why by: slipway status"},
	} {
		t.Run(name, func(t *testing.T) {
			found := deprecatedAPIs(v(test.seen))
			if len(found) != 1 || found[0] != (Finding{Severity: test.severity, Seen: test.want, Fix: test.fix}) {
				t.Errorf("%+v", found)
			}
			begun := v(test.seen)
			begun.Cluster = &cluster.Cluster{Hosts: []cluster.Host{{Name: "cp-1"}}}
			halfChanged(&begun, "cp-1")
			if found := deprecatedAPIs(begun); found[0].Severity != Warning {
				t.Errorf("once the upgrade has begun: %+v", found)
			}
		})
	}
	if found := deprecatedAPIs(v(hosts.DeprecatedAPIs{Requested: []hosts.RequestedAPI{{API: hosts.API{Version: "v1", Resource: "endpoints"}, Servers: []string{"cp-1"}}}})); len(found) > 0 {
		t.Errorf("of what every cluster asks for: %v", found)
	}
	if found := deprecatedAPIs(view.View{Bill: bundle.Bill{KubernetesVersion: "v1.37.2"}}); found != nil {
		t.Errorf("not asked: %v", found)
	}
}
