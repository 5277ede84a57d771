package api

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"math/big"
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
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// authority is a CA made for one test.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "kubernetes"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return authority{cert, key}
}

func (a authority) pem() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw})
}

// leaf signs a certificate for a server and a client in one.
func (a authority) leaf(t *testing.T, name string) (cert, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, private.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := x509.MarshalECPrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: encoded})
}

// cluster is an API in memory, served by one server on each control plane.
type cluster struct {
	t       *testing.T
	ca      authority
	mu      sync.Mutex
	objects map[string]map[string]any // by path
	applied map[string]string         // by path: what was last applied
	version int
	asked   []string
	// answer, if set, answers a request in the API's place; a nil status leaves it to it.
	answer func(host string, r *http.Request) *metav1.Status
	ready  func(host string) string // what /readyz lists as failed; "" is ready
	budget func(pod string) bool    // whether a Pod may be evicted
	planes map[string]*plane
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
			planes: map[string]*plane{},
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
		}()
		test(t, c, client)
	})
}

func (c *cluster) client(trusted authority) *Client {
	c.t.Helper()
	cert, key := c.ca.leaf(c.t, "kubernetes-super-admin")
	options := Options{Hosts: map[string]hosts.Host{}, Endpoints: map[string]string{}, CA: trusted.pem(), Cert: cert, Key: key}
	for name, p := range c.planes {
		options.Hosts[name], options.Endpoints[name] = p, name+":6443"
	}
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
	near, far := pipe()
	p.conns <- far
	p.mu2.Lock()
	defer p.mu2.Unlock()
	p.open = append(p.open, near)
	return near, nil
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
	defer p.mu.Unlock()
	p.asked = append(p.asked, r.Method+" "+r.URL.Path)
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
		_, _ = io.WriteString(w, `{"gitVersion":"v1.36.3"}`)
	case r.URL.Path == "/readyz":
		p.serveReady(w)
	case strings.HasSuffix(r.URL.Path, "/eviction"):
		p.evict(w, strings.TrimSuffix(r.URL.Path, "/eviction"))
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

func (c *cluster) evict(w http.ResponseWriter, path string) {
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
	delete(c.objects, path)
	write(w, 201, metav1.Status{Status: metav1.StatusSuccess})
}

func (c *cluster) serveObject(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
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
	case http.MethodPatch:
		c.patch(w, r, body)
	case http.MethodDelete:
		if live == nil {
			refuse(w, 404, metav1.StatusReasonNotFound, "not found")
			return
		}
		delete(c.objects, r.URL.Path)
		write(w, 200, metav1.Status{Status: metav1.StatusSuccess})
	}
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
	if !slices.Contains([]string{"nodes", "pods", "secrets"}, last) {
		return nil
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
		if parts[len(parts)-2] != last {
			continue
		}
		if spec, _ := c.objects[at]["spec"].(map[string]any); last == "pods" && node != "" && spec["nodeName"] != node {
			continue
		}
		items = append(items, c.objects[at])
	}
	kind := map[string]string{"nodes": "NodeList", "pods": "PodList", "secrets": "SecretList"}[last]
	return map[string]any{"kind": kind, "apiVersion": "v1", "metadata": map[string]any{}, "items": items}
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

// buffered is an end of a net.Pipe whose writes do not wait for the other end to read.
type buffered struct {
	net.Conn
	queue chan []byte
	ended chan struct{}
	once  sync.Once
}

func pipe() (near, far net.Conn) {
	a, b := net.Pipe()
	return newBuffered(a), newBuffered(b)
}

func newBuffered(conn net.Conn) *buffered {
	b := &buffered{Conn: conn, queue: make(chan []byte, 1024), ended: make(chan struct{})}
	go func() {
		for {
			select {
			case data := <-b.queue:
				_, _ = b.Conn.Write(data)
			case <-b.ended:
				return
			}
		}
	}()
	return b
}

func (b *buffered) Write(data []byte) (int, error) {
	select {
	case b.queue <- slices.Clone(data):
		return len(data), nil
	case <-b.ended:
		return 0, net.ErrClosed
	}
}

func (b *buffered) Close() error {
	b.once.Do(func() { close(b.ended) })
	return b.Conn.Close()
}
