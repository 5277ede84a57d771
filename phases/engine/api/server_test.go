package api

import (
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// cluster is an API in memory, served by one server on each control plane.
type cluster struct {
	t       *testing.T
	ca      authority
	mu      sync.Mutex
	objects map[string]map[string]any // by path
	applied map[string]string         // by path: what was last applied
	version int
	asked   []string
	bodies  map[string]string // what was last sent with a verb to a path
	held    chan struct{}     // if set, requests wait for its end
	mute    int               // so many updates are made and not answered
	// answer, if set, answers a request in the API's place; a nil status leaves it to it.
	answer func(host string, r *http.Request) *metav1.Status
	ready  func(host string) string // what /readyz lists as failed; "" is ready
	serves string                   // its version
	counts func(host string) string // its metrics
	budget func(pod string) bool    // whether a Pod may be evicted
	dead   bool                     // no kubelet ends Pods
	paged  int                      // so many objects are in a page of a list; 0: all
	clock  time.Duration            // how far ahead of the client's it is
	planes map[string]*plane
	// routes are what else the hosts reach, by address: the endpoint, members of etcd.
	routes map[string]func(ctx context.Context, from string) (net.Conn, error)
}

// plane is a control plane: a host whose Dial leads to its server.
type plane struct {
	*cluster
	hosts.Host
	name   string
	mu2    sync.Mutex
	dialed int
	down   error // what Dial fails with
	hangs  bool  // Dial never answers
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
	server *http.Server
	open   []net.Conn
}

// play runs a test on a cluster with these control planes, where waiting costs no time.
func play(t *testing.T, names []string, test func(t *testing.T, c *cluster, client *Client)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		c := &cluster{
			t: t, ca: newAuthority(t), objects: map[string]map[string]any{}, applied: map[string]string{},
			planes: map[string]*plane{}, routes: map[string]func(context.Context, string) (net.Conn, error){},
		}
		for _, name := range names {
			c.planes[name] = c.newPlane(name)
		}
		client := c.client(c.ca)
		defer func() {
			client.Close()
			for _, p := range c.planes {
				p.stop()
			}
			elapse(time.Second) // the bubble's time ends with the test, and connections have yet to
		}()
		test(t, c, client)
	})
}

func (c *cluster) client(trusted authority) *Client {
	c.t.Helper()
	return c.clientWith(trusted, func(*Options) {})
}

func (c *cluster) clientWith(trusted authority, adapt func(*Options)) *Client {
	c.t.Helper()
	cert, key := c.ca.leaf(c.t, "kubernetes-super-admin")
	options := Options{Hosts: map[string]hosts.Host{}, Endpoints: map[string]string{}, CA: trusted.pem(), Cert: cert, Key: key}
	for name, p := range c.planes {
		options.Hosts[name], options.Endpoints[name] = p, name+":6443"
	}
	adapt(&options)
	client, err := New(options)
	if err != nil {
		c.t.Fatal(err)
	}
	return client
}

func (c *cluster) newPlane(name string) *plane {
	certPEM, keyPEM := c.ca.leaf(c.t, "kubernetes")
	pair, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		c.t.Fatal(err)
	}
	p := &plane{cluster: c, name: name, conns: make(chan net.Conn), closed: make(chan struct{})}
	p.server = &http.Server{
		Handler:   http.HandlerFunc(p.serve),
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequestClientCert},
		ErrorLog:  log.New(io.Discard, "", 0),
	}
	go func() { _ = p.server.ServeTLS(p, "", "") }()
	return p
}

// plane is its server's listener as well.
func (p *plane) Accept() (net.Conn, error) {
	select {
	case conn := <-p.conns:
		return conn, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}
func (p *plane) Addr() net.Addr { return &net.TCPAddr{} }
func (p *plane) Close() error   { p.once.Do(func() { close(p.closed) }); return nil }

func (p *plane) stop() {
	_ = p.server.Close()
	p.cut(nil)
}

// cut ends what is open, and lets nothing in for as long as err is not nil.
func (p *plane) cut(err error) {
	p.mu2.Lock()
	defer p.mu2.Unlock()
	p.down = err
	for _, conn := range p.open {
		_ = conn.Close()
	}
	p.open = nil
}

func (p *plane) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	p.mu2.Lock()
	p.dialed++
	down, hangs := p.down, p.hangs
	p.mu2.Unlock()
	p.mu.Lock()
	route := p.routes[address]
	p.mu.Unlock()
	if route != nil {
		return route(ctx, p.name)
	}
	if hangs {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	if down != nil {
		return nil, down
	}
	if network != "tcp" || address != p.name+":6443" {
		return nil, errors.New("nothing listens on " + address)
	}
	return p.accept(), nil
}

// accept makes a connection to the server.
func (p *plane) accept() net.Conn {
	near, far := pipe()
	p.conns <- far
	p.mu2.Lock()
	defer p.mu2.Unlock()
	p.open = append(p.open, near)
	return near
}

func (c *cluster) put(path, object string) {
	c.t.Helper()
	var content map[string]any
	if err := json.Unmarshal([]byte(object), &content); err != nil {
		c.t.Fatal(err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.store(path, content)
}

// store keeps an object as a new version; the caller holds the lock.
func (c *cluster) store(path string, object map[string]any) {
	c.version++
	metadata, _ := object["metadata"].(map[string]any)
	if metadata == nil {
		metadata = map[string]any{}
		object["metadata"] = metadata
	}
	metadata["resourceVersion"] = strconv.Itoa(c.version)
	c.objects[path] = object
}

func (p *plane) serve(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	held := p.held
	p.mu.Unlock()
	if held != nil {
		<-held
	}
	p.serveOne(w, r)
	if r.Method == http.MethodPut && p.muted() {
		<-r.Context().Done()
	}
}

func (c *cluster) muted() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mute--
	return c.mute >= 0
}

func (p *plane) serveOne(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked = append(p.asked, r.Method+" "+r.URL.Path)
	w.Header().Set("Date", time.Now().Add(p.clock).UTC().Format(http.TimeFormat))
	if len(r.TLS.PeerCertificates) == 0 || r.TLS.PeerCertificates[0].CheckSignatureFrom(p.ca.cert) != nil {
		refuse(w, 401, metav1.StatusReasonUnauthorized, "who are you")
		return
	}
	if p.answer != nil {
		if status := p.answer(p.name, r); status != nil {
			refuse(w, int(status.Code), status.Reason, status.Message)
			return
		}
	}
	switch {
	case r.URL.Path == "/version":
		_, _ = fmt.Fprintf(w, `{"gitVersion":%q}`, cmp.Or(p.serves, "v1.36.3"))
	case r.URL.Path == "/metrics" && p.counts != nil:
		_, _ = io.WriteString(w, p.counts(p.name))
	case r.URL.Path == "/readyz/ping":
		_, _ = io.WriteString(w, "ok")
	case r.URL.Path == "/readyz":
		p.serveReady(w)
	case strings.HasSuffix(r.URL.Path, "/eviction"):
		p.evict(w, r, strings.TrimSuffix(r.URL.Path, "/eviction"))
	default:
		p.serveObject(w, r)
	}
}

func (p *plane) serveReady(w http.ResponseWriter) {
	if p.ready != nil {
		if bad := p.ready(p.name); bad != "" {
			w.WriteHeader(http.StatusInternalServerError)
			_, _ = io.WriteString(w, "[+]ping ok\n[-]"+bad+" failed: reason withheld\nreadyz check failed\n")
			return
		}
	}
	_, _ = io.WriteString(w, "ok")
}

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
		delete(c.objects, path)
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
			delete(c.objects, r.URL.Path)
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
		if ip, _ := spec["clusterIP"].(string); live == nil && ip != "" && c.objects["/apis/networking.k8s.io/v1/ipaddresses/"+ip] != nil {
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

// list answers a collection; nil where the path is none.
func (c *cluster) list(r *http.Request) map[string]any {
	path := r.URL.Path
	last := path[strings.LastIndex(path, "/")+1:]
	kind := map[string]string{
		"nodes": "NodeList", "pods": "PodList", "secrets": "SecretList", "configmaps": "ConfigMapList", "clusterroles": "ClusterRoleList",
		"poddisruptionbudgets": "PodDisruptionBudgetList", "persistentvolumes": "PersistentVolumeList",
		"persistentvolumeclaims": "PersistentVolumeClaimList", "daemonsets": "DaemonSetList",
		"customresourcedefinitions": "CustomResourceDefinitionList", "namespaces": "NamespaceList", "events": "EventList",
	}[last]
	if kind == "" {
		return nil
	}
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
		items = append(items, c.objects[at])
	}
	about := map[string]any{}
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

func refuse(w http.ResponseWriter, code int, reason metav1.StatusReason, message string) {
	write(w, code, metav1.Status{
		TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"},
		Status:   metav1.StatusFailure, Code: int32(code), Reason: reason, Message: message,
	})
}

func write(w http.ResponseWriter, code int, object any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(object)
}

// count tells how often a request was made.
func (c *cluster) count(what string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := 0
	for _, one := range c.asked {
		if one == what {
			n++
		}
	}
	return n
}
