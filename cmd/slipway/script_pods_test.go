package main_test

import (
	"maps"
	"net/http"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/slipway-k8s/slipway/manifests"
)

// pods are a host's: its static ones, and one of each DaemonSet.
func (c *fakeCluster) pods(h *stageHost) []object {
	ready := object{"phase": "Running", "conditions": []object{{"type": "Ready", "status": "True"}}}
	var pods []object
	for _, manifest := range []string{manifests.EtcdManifest, manifests.APIServerManifest, manifests.ControllerManifest, manifests.SchedulerManifest} {
		pod := object{}
		content, _, runs := h.machine.ReadFile(manifest)
		if err := yaml.Unmarshal(content, &pod); err != nil || !runs {
			continue
		}
		metadata := maps.Clone(part(pod, "metadata"))
		metadata["annotations"] = merged(part(metadata, "annotations"), object{"kubernetes.io/config.mirror": "x"})
		metadata["name"], metadata["uid"] = h.podOf(manifest), h.podOf(manifest)
		pod["metadata"], pod["status"] = metadata, ready
		pods = append(pods, pod)
	}
	for _, at := range c.paths("daemonsets") {
		set := c.objects[at]
		owner := object{"apiVersion": "apps/v1", "kind": "DaemonSet", "name": nameOf(set), "uid": at, "controller": true}
		name := nameOf(set) + "-" + h.name
		pods = append(pods, object{
			"metadata": object{"name": name, "namespace": part(set, "metadata")["namespace"], "uid": name, "ownerReferences": []object{owner}},
			"spec":     object{"nodeName": h.name}, "status": ready,
		})
	}
	return pods
}

// run puts a Pod of the user's onto a node, of a Deployment or bare.
func (c *fakeCluster) run(node, name string, bare bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	app, _, _ := strings.Cut(name, "-")
	metadata := object{"name": name, "namespace": "default", "labels": object{"app": app, "pod-template-hash": "5d"}}
	if !bare {
		metadata["ownerReferences"] = []object{{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": app + "-5d", "uid": app, "controller": true}}
	}
	c.store("/api/v1/namespaces/default/pods/"+name, object{
		"kind": "Pod", "metadata": metadata, "spec": object{"nodeName": node},
		"status": object{"phase": "Running", "conditions": []object{{"type": "Ready", "status": "True"}}},
	})
}

// runOn are the Pods of the user's on a node.
func (c *fakeCluster) runOn(node string) []object {
	var pods []object
	for _, at := range c.paths("pods") {
		if part(c.objects[at], "spec")["nodeName"] == node {
			pods = append(pods, c.objects[at])
		}
	}
	return pods
}

// protect has a budget let no Pod of an app go.
func (c *fakeCluster) protect(app string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	made := c.store("/apis/policy/v1/namespaces/default/poddisruptionbudgets/"+app, object{
		"kind": "PodDisruptionBudget", "metadata": object{"name": app, "namespace": "default"},
		"spec": object{"minAvailable": 1, "selector": object{"matchLabels": object{"app": app}}},
	})
	made["status"] = object{"observedGeneration": 1, "desiredHealthy": 1, "expectedPods": 1, "currentHealthy": 1}
}

// evict has a Pod go, if no budget keeps it.
func (c *fakeCluster) evict(w http.ResponseWriter, at string, sent object) {
	pod := c.objects[at]
	app, _ := part(part(pod, "metadata"), "labels")["app"].(string)
	switch {
	case pod == nil:
		refuse(w, http.StatusNotFound, "NotFound")
		return
	case c.objects["/apis/policy/v1/namespaces/default/poddisruptionbudgets/"+app] != nil:
		reply(w, http.StatusTooManyRequests, object{
			"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": http.StatusTooManyRequests, "reason": "TooManyRequests",
			"message": "Cannot evict pod as it would violate the pod's disruption budget.",
			"details": object{"causes": []object{{"reason": "DisruptionBudget", "message": "The disruption budget " + app + " needs 1 healthy pods and has 1 currently"}}},
		})
		return
	case part(sent, "deleteOptions")["dryRun"] == nil:
		delete(c.objects, at)
	}
	reply(w, http.StatusCreated, object{"kind": "Status", "apiVersion": "v1", "status": "Success"})
}
