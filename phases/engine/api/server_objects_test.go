package api

import (
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

func (c *cluster) evict(w http.ResponseWriter, r *http.Request, path string) {
	var asked policyv1.Eviction
	_ = json.NewDecoder(r.Body).Decode(&asked)
	if c.objects[path] == nil {
		refuse(w, 404, metav1.StatusReasonNotFound, "no such Pod")
		return
	}
	if c.budget != nil && !c.budget(path[strings.LastIndex(path, "/")+1:]) {
		status := metav1.Status{
			TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"},
			Status:   metav1.StatusFailure, Code: 429, Reason: metav1.StatusReasonTooManyRequests,
			Message: "Cannot evict pod as it would violate the pod's disruption budget.",
			Details: &metav1.StatusDetails{Causes: []metav1.StatusCause{{
				Type: "DisruptionBudget", Message: "The disruption budget web needs 2 healthy pods and has 2 currently",
			}}},
		}
		write(w, 429, status)
		return
	}
	if asked.DeleteOptions == nil || len(asked.DeleteOptions.DryRun) == 0 {
		c.end(path)
	}
	write(w, 201, metav1.Status{Status: metav1.StatusSuccess})
}

// end has a kubelet end a Pod, if it is not dead and no finalizer holds the Pod.
func (c *cluster) end(path string) {
	metadata := c.objects[path]["metadata"].(map[string]any)
	if _, held := metadata["finalizers"]; !held && !c.dead {
		c.remove(path)
		return
	}
	metadata["deletionTimestamp"] = time.Now().UTC().Format(time.RFC3339)
}

func (c *cluster) serveObject(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	if c.bodies == nil {
		c.bodies = map[string]string{}
	}
	c.bodies[r.Method+" "+r.URL.Path] = string(body)
	live := c.objects[r.URL.Path]
	switch r.Method {
	case http.MethodGet:
		if live != nil {
			write(w, 200, live)
		} else if list := c.list(r); list != nil {
			write(w, 200, list)
		} else {
			refuse(w, 404, metav1.StatusReasonNotFound, "not found")
		}
	case http.MethodPost:
		var object map[string]any
		_ = json.Unmarshal(body, &object)
		name, _ := object["metadata"].(map[string]any)["name"].(string)
		if c.objects[r.URL.Path+"/"+name] != nil {
			refuse(w, 409, metav1.StatusReasonAlreadyExists, "it exists")
			return
		}
		c.store(r.URL.Path+"/"+name, object)
		write(w, 201, object)
	case http.MethodPut:
		c.update(w, r, body)
	case http.MethodPatch:
		c.patch(w, r, body)
	case http.MethodDelete:
		if live == nil {
			refuse(w, 404, metav1.StatusReasonNotFound, "not found")
			return
		}
		if !meets(live, body) {
			refuse(w, 409, metav1.StatusReasonConflict, "the precondition fails")
			return
		}
		if strings.Contains(r.URL.Path, "/pods/") {
			c.end(r.URL.Path)
		} else {
			c.remove(r.URL.Path)
		}
		write(w, 200, metav1.Status{Status: metav1.StatusSuccess})
	}
}

// meets tells whether an object is the one whose deletion is asked for.
func meets(live map[string]any, body []byte) bool {
	var options metav1.DeleteOptions
	_ = json.Unmarshal(body, &options)
	metadata := live["metadata"].(map[string]any)
	wanted := options.Preconditions
	return wanted == nil || (wanted.UID == nil || string(*wanted.UID) == metadata["uid"]) &&
		(wanted.ResourceVersion == nil || *wanted.ResourceVersion == metadata["resourceVersion"])
}

func (c *cluster) patch(w http.ResponseWriter, r *http.Request, body []byte) {
	live, path := c.objects[r.URL.Path], r.URL.Path
	var object map[string]any
	_ = json.Unmarshal(body, &object)
	if r.URL.Query().Get("fieldManager") != "slipway" {
		refuse(w, 400, metav1.StatusReasonBadRequest, "no field manager")
		return
	}
	switch r.Header.Get("Content-Type") {
	case "application/apply-patch+yaml":
		spec, _ := object["spec"].(map[string]any)
		if ip, _ := spec["clusterIP"].(string); live == nil && ip != "" && (c.taken > 0 || c.objects["/apis/networking.k8s.io/v1/ipaddresses/"+ip] != nil) {
			c.taken--
			refuse(w, 422, metav1.StatusReasonInvalid, "provided IP is already allocated")
			return
		}
		if r.URL.Query().Get("force") != "true" {
			refuse(w, 409, metav1.StatusReasonConflict, "somebody else owns it")
			return
		}
		if live != nil && c.applied[path] == string(body) {
			write(w, 200, live)
			return
		}
		c.applied[path] = string(body)
		c.store(path, object)
		code := 200
		if live == nil {
			code = 201
		}
		write(w, code, object)
	case "application/merge-patch+json":
		metadata, _ := object["metadata"].(map[string]any)
		if metadata["resourceVersion"] != live["metadata"].(map[string]any)["resourceVersion"] {
			refuse(w, 409, metav1.StatusReasonConflict, "the object has been modified")
			return
		}
		merge(live, object)
		c.store(path, live)
		write(w, 200, live)
	default:
		refuse(w, 415, metav1.StatusReasonUnsupportedMediaType, "what is this")
	}
}

// update puts an object in the place of the version that it was made from.
func (c *cluster) update(w http.ResponseWriter, r *http.Request, body []byte) {
	live := c.objects[r.URL.Path]
	var object map[string]any
	_ = json.Unmarshal(body, &object)
	switch metadata, _ := object["metadata"].(map[string]any); {
	case live == nil:
		refuse(w, 404, metav1.StatusReasonNotFound, "not found")
	case metadata["resourceVersion"] != live["metadata"].(map[string]any)["resourceVersion"]:
		refuse(w, 409, metav1.StatusReasonConflict, "the object has been modified")
	default:
		c.store(r.URL.Path, object)
		write(w, 200, object)
	}
}

func merge(into, patch map[string]any) {
	for key, value := range patch {
		inner, isMap := value.(map[string]any)
		live, liveMap := into[key].(map[string]any)
		switch {
		case value == nil:
			delete(into, key)
		case isMap && liveMap:
			merge(live, inner)
		default:
			into[key] = value
		}
	}
}

// collections are those that can be listed, with the kind of what is in them.
var collections = map[string]string{
	"nodes": "Node", "pods": "Pod", "secrets": "Secret", "configmaps": "ConfigMap", "clusterroles": "ClusterRole",
	"poddisruptionbudgets": "PodDisruptionBudget", "persistentvolumes": "PersistentVolume",
	"persistentvolumeclaims": "PersistentVolumeClaim", "daemonsets": "DaemonSet",
	"customresourcedefinitions": "CustomResourceDefinition", "namespaces": "Namespace", "events": "Event",
}

// list answers a collection; nil where the path is none.
func (c *cluster) list(r *http.Request) map[string]any {
	path := r.URL.Path
	last := path[strings.LastIndex(path, "/")+1:]
	kind := collections[last]
	if kind == "" {
		return nil
	}
	kind += "List"
	if form := r.Header.Get("Accept"); strings.Contains(form, "as=PartialObjectMetadataList") {
		kind = "PartialObjectMetadataList"
	}
	selector, err := labels.Parse(r.URL.Query().Get("labelSelector"))
	if err != nil {
		c.t.Error(err)
	}
	node, _ := strings.CutPrefix(r.URL.Query().Get("fieldSelector"), "spec.nodeName=")
	items := []any{}
	var paths []string
	for at := range c.objects {
		paths = append(paths, at)
	}
	slices.Sort(paths)
	for _, at := range paths {
		parts := strings.Split(at, "/")
		if parts[len(parts)-2] != last || strings.Contains(path, "/namespaces/") && !strings.HasPrefix(at, path+"/") {
			continue
		}
		metadata := c.objects[at]["metadata"].(map[string]any)
		labelled := labels.Set{}
		marks, _ := metadata["labels"].(map[string]any)
		for name, value := range marks {
			labelled[name], _ = value.(string)
		}
		if !selector.Matches(labelled) {
			continue
		}
		if spec, _ := c.objects[at]["spec"].(map[string]any); last == "pods" && node != "" && spec["nodeName"] != node {
			continue
		}
		if !ofType(r, c.objects[at]) {
			continue
		}
		items = append(items, c.objects[at])
	}
	about := map[string]any{"resourceVersion": strconv.Itoa(c.version)}
	if c.paged > 0 {
		from, _ := strconv.Atoi(r.URL.Query().Get("continue"))
		to := min(from+c.paged, len(items))
		if to < len(items) {
			about["continue"] = strconv.Itoa(to)
		}
		items = items[from:to]
	}
	return map[string]any{"kind": kind, "apiVersion": "v1", "metadata": about, "items": items}
}
