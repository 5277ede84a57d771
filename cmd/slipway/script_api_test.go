package main_test

import (
	"crypto/tls"
	"encoding/json"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/slipway-k8s/slipway/bundle"
	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
)

// object is one of the API's, as JSON has it.
type object = map[string]any

// startAPI has a host serve the cluster's API, with the certificates that lie there, and the
// components beside it say that they are well.
func (h *stageHost) startAPI() {
	const pki = "/etc/kubernetes/pki/"
	start := func(handle http.HandlerFunc, config *tls.Config) *httptest.Server {
		server := httptest.NewUnstartedServer(handle)
		server.Config.ErrorLog = log.New(io.Discard, "", 0)
		if config == nil {
			server.Start()
		} else {
			server.TLS, server.EnableHTTP2 = config, true
			server.StartTLS()
		}
		h.t.Cleanup(func() {
			server.CloseClientConnections()
			server.Close()
		})
		return server
	}
	well := func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") }
	h.well, h.wellTLS = start(well, nil), start(well, &tls.Config{})
	h.api = start(h.serveAPI, &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
		return h.tlsOf(pki+"apiserver", pki+"ca.crt", tls.VerifyClientCertIfGiven)
	}})
}

func (h *stageHost) serveAPI(w http.ResponseWriter, r *http.Request) {
	if r.URL.Query().Get("watch") == "true" && len(r.TLS.VerifiedChains) > 0 {
		h.serveWatch(w, r)
		return
	}
	c := h.cluster
	c.mu.Lock()
	defer c.mu.Unlock()
	c.settle()
	switch {
	case !h.serves():
		panic(http.ErrAbortHandler) // the connection ends, as that of a server that has
	case len(r.TLS.VerifiedChains) == 0:
		refuse(w, http.StatusUnauthorized, "Unauthorized")
	case r.URL.Path == "/version":
		reply(w, http.StatusOK, object{"gitVersion": h.version()})
	case r.URL.Path == "/metrics":
		_, _ = io.WriteString(w, h.metrics)
	case strings.HasPrefix(r.URL.Path, "/readyz"):
		_, _ = io.WriteString(w, "ok")
	case strings.HasPrefix(r.URL.Path, nodeLeases):
		c.serveLease(w, strings.TrimPrefix(r.URL.Path, nodeLeases))
	case discovery[r.URL.Path] != nil:
		reply(w, http.StatusOK, discovery[r.URL.Path])
	default:
		c.serveObject(w, r)
	}
}

const nodeLeases = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/"

// serveLease gives the lease of a node, which its kubelet renews every ten seconds: by the kubelets'
// clock, which goes ten times as fast as others, so that nobody has to wait long.
func (c *fakeCluster) serveLease(w http.ResponseWriter, node string) {
	at := slices.IndexFunc(c.hosts, func(h *stageHost) bool { return h.name == node && h.kubelet() })
	if at < 0 {
		refuse(w, http.StatusNotFound, "NotFound")
		return
	}
	const interval, faster = 10 * time.Second, 10
	renewed := started.Add((time.Since(started) * faster).Truncate(interval))
	reply(w, http.StatusOK, object{
		"kind": "Lease", "apiVersion": "coordination.k8s.io/v1", "metadata": object{"name": node},
		"spec": object{"leaseDurationSeconds": 40, "renewTime": renewed.UTC().Format("2006-01-02T15:04:05.000000Z07:00")},
	})
}

// started is when the kubelets' clock was right.
var started = time.Now()

func (c *fakeCluster) serveObject(w http.ResponseWriter, r *http.Request) {
	at, there := r.URL.Path, c.objects[r.URL.Path] != nil
	sent := object{}
	_ = json.NewDecoder(r.Body).Decode(&sent) // there is none with a GET
	list := listed[path.Base(at)]
	switch {
	case r.Method == http.MethodGet && list != "":
		items := c.list(r, path.Base(at))
		reply(w, http.StatusOK, object{"kind": list + "List", "apiVersion": "v1", "metadata": object{"resourceVersion": c.versioned(items)}, "items": items})
	case path.Base(at) == "eviction":
		c.evict(w, path.Dir(at), sent)
	case r.Method == http.MethodPost && c.objects[at+"/"+nameOf(sent)] != nil:
		refuse(w, http.StatusConflict, "AlreadyExists")
	case r.Method == http.MethodPost:
		reply(w, http.StatusCreated, c.store(at+"/"+nameOf(sent), sent))
	case r.Method == http.MethodPatch && r.Header.Get("Content-Type") == "application/apply-patch+yaml":
		reply(w, http.StatusOK, c.apply(at, sent))
	case !there:
		refuse(w, http.StatusNotFound, "NotFound")
	case r.Method == http.MethodGet:
		reply(w, http.StatusOK, c.seen(at))
	case r.Method == http.MethodDelete:
		delete(c.objects, at)
		reply(w, http.StatusOK, object{"kind": "Status", "apiVersion": "v1", "status": "Success"})
	default: // a merge patch, or the whole object anew
		if r.Method == http.MethodPatch {
			sent = merged(c.objects[at], sent)
		}
		reply(w, http.StatusOK, c.store(at, sent))
	}
}

// apply is a server-side apply of one who owns the whole object; what changes nothing makes no
// new version.
func (c *fakeCluster) apply(at string, sent object) object {
	text, _ := json.Marshal(sent)
	live := c.objects[at]
	if live != nil && live["applied"] == string(text) {
		return live
	}
	sent["applied"] = string(text)
	return c.store(at, sent)
}

func (c *fakeCluster) store(at string, made object) object {
	c.version++
	metadata := maps.Clone(part(made, "metadata"))
	metadata["resourceVersion"], metadata["generation"], metadata["uid"] = strconv.Itoa(c.version), 1, at
	made["metadata"] = metadata
	if secret := part(made, "stringData"); len(secret) > 0 {
		data := object{}
		for key, value := range secret {
			data[key] = []byte(value.(string))
		}
		made["data"] = data
		delete(made, "stringData")
	}
	c.objects[at] = made
	return made
}

func part(of object, name string) object {
	found, _ := of[name].(object)
	if found == nil {
		found = object{}
	}
	return found
}

func nameOf(o object) string {
	name, _ := part(o, "metadata")["name"].(string)
	return name
}

func merged(live, patch object) object {
	result := maps.Clone(live)
	for key, value := range patch {
		inner, deeper := value.(object)
		switch {
		case value == nil:
			delete(result, key)
		case deeper:
			result[key] = merged(part(result, key), inner)
		default:
			result[key] = value
		}
	}
	return result
}

// seen is an object with what kubelets and controllers tell of it.
func (c *fakeCluster) seen(at string) object {
	shown := maps.Clone(c.objects[at])
	nodes, spec := len(c.paths("nodes")), part(shown, "spec")
	switch shown["kind"] {
	case "Node":
		shown["status"] = c.nodeStatus(nameOf(shown))
	case "Deployment":
		n := spec["replicas"]
		shown["status"] = object{"observedGeneration": 1, "replicas": n, "updatedReplicas": n, "availableReplicas": n}
	case "DaemonSet":
		shown["status"] = object{"observedGeneration": 1, "desiredNumberScheduled": nodes, "updatedNumberScheduled": nodes, "numberAvailable": nodes}
	}
	return shown
}

// node is what a kubelet registers.
func (h *stageHost) node() object {
	return object{"kind": "Node", "apiVersion": "v1", "metadata": object{"name": h.name, "labels": object{"kubernetes.io/hostname": h.name}}}
}

// version is that of the made-up bundle to whose binaries the host's links lead.
func (h *stageHost) version() string {
	facts, err := h.machine.Host().Observe(h.t.Context(), hosts.Query{Paths: []string{manifests.Kube}})
	if err != nil {
		h.t.Error(err)
	}
	folder, _ := bundle.FolderOf(facts.Files[manifests.Kube].Target)
	for _, version := range []string{cluster.DefaultKubernetesVersion, olderVersion} {
		if slices.Contains(bundle.Folders(madeUpBundle(version).Bill.Sets), folder) {
			return version
		}
	}
	h.t.Errorf("the binaries of %s are of no made-up bundle: they lie in %q", h.name, folder)
	return ""
}

func (c *fakeCluster) nodeStatus(name string) object {
	condition := object{"type": "Ready", "status": "Unknown", "reason": "NodeStatusUnknown", "message": "Kubelet stopped posting node status."}
	status := object{"conditions": []object{condition}}
	at := slices.IndexFunc(c.hosts, func(h *stageHost) bool { return h.name == name })
	if at < 0 {
		return status
	}
	h := c.hosts[at]
	facts, err := h.machine.Host().Observe(h.t.Context(), hosts.Query{})
	if err != nil {
		h.t.Error(err)
	}
	status["addresses"] = []object{{"type": "InternalIP", "address": h.address}}
	status["allocatable"] = object{"cpu": "4", "memory": "8Gi", "pods": "110"}
	status["nodeInfo"] = object{"kubeletVersion": h.version(), "machineID": facts.MachineID}
	networked := slices.ContainsFunc(c.paths("daemonsets"), func(at string) bool { return strings.Contains(at, "flannel") })
	switch {
	case h.kubelet() && networked:
		condition["status"], condition["reason"], condition["message"] = "True", "KubeletReady", ""
	case h.kubelet():
		condition["status"], condition["reason"], condition["message"] = "False", "KubeletNotReady", "container runtime network not ready"
	}
	return status
}

// paths lists the objects of a collection, sorted.
func (c *fakeCluster) paths(collection string) []string {
	return slices.Sorted(func(yield func(string) bool) {
		for at := range c.objects {
			if path.Base(path.Dir(at)) == collection && !yield(at) {
				return
			}
		}
	})
}

func (c *fakeCluster) list(r *http.Request, collection string) []object {
	items := []object{}
	if collection == "pods" {
		for _, h := range c.hosts {
			if of := r.URL.Query().Get("fieldSelector"); h.kubelet() && (of == "" || of == "spec.nodeName="+h.name) {
				items = append(items, c.pods(h)...)
				items = append(items, c.runOn(h.name)...)
			}
		}
		return items
	}
	kind, typed := strings.CutPrefix(r.URL.Query().Get("fieldSelector"), "type=")
	for _, at := range c.paths(collection) {
		if in(at, r.URL.Path) && (!typed || c.objects[at]["type"] == kind) {
			items = append(items, c.seen(at))
		}
	}
	return items
}

// in tells whether an object is of a collection: of one namespace or, where that is not said, of all.
func in(at, collection string) bool {
	return strings.HasPrefix(at, collection+"/") || strings.HasPrefix(at, path.Dir(collection)+"/namespaces/")
}

// listed are the collections that can be listed, by the kind of what is in them.
var listed = map[string]string{
	"nodes": "Node", "pods": "Pod", "secrets": "Secret", "daemonsets": "DaemonSet", "poddisruptionbudgets": "PodDisruptionBudget",
	"events": "Event", "customresourcedefinitions": "CustomResourceDefinition", "persistentvolumes": "PersistentVolume", "persistentvolumeclaims": "PersistentVolumeClaim",
}

// discovery is what kubectl asks before it asks for nodes or Pods.
var discovery = map[string]object{
	"/api":  {"kind": "APIVersions", "versions": []string{"v1"}},
	"/apis": {"kind": "APIGroupList", "apiVersion": "v1", "groups": []string{}},
	"/api/v1": {"kind": "APIResourceList", "groupVersion": "v1", "resources": []object{
		{"name": "nodes", "kind": "Node", "namespaced": false, "verbs": []string{"get", "list"}},
		{"name": "pods", "kind": "Pod", "namespaced": true, "verbs": []string{"get", "list"}},
	}},
}

func refuse(w http.ResponseWriter, code int, reason string) {
	reply(w, code, object{"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason, "message": reason})
}

func reply(w http.ResponseWriter, code int, answer object) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(answer) // who has left hears nothing
}
