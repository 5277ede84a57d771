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
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
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
	taken   int               // so many Services are refused for an address that nobody has
	// answer, if set, answers a request in the API's place; a nil status leaves it to it.
	answer func(host string, r *http.Request) *metav1.Status
	takes  func(path string) time.Duration // how long an answer takes; nil: no time
	ready  func(host string) string        // what /readyz lists as failed; "" is ready
	serves string                          // its version
	counts func(host string) string        // its metrics
	budget func(pod string) bool           // whether a Pod may be evicted
	dead   bool                            // no kubelet ends Pods
	paged  int                             // so many objects are in a page of a list; 0: all
	clock  time.Duration                   // how far ahead of the client's it is
	told   []told                          // what has changed, for watches
	news   chan struct{}                   // closed when there is more of it
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
			planes: map[string]*plane{}, news: make(chan struct{}), routes: map[string]func(context.Context, string) (net.Conn, error){},
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
	select {
	case p.conns <- far:
	case <-p.closed: // nobody accepts any more: a client that ends may just be dialing once more
	}
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
	change := "MODIFIED"
	if c.objects[path] == nil {
		change = "ADDED"
	}
	c.objects[path] = object
	c.tell(change, path, object)
}

func (p *plane) serve(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	held, takes := p.held, p.takes
	p.mu.Unlock()
	if held != nil {
		<-held
	}
	if takes != nil {
		time.Sleep(takes(r.URL.Path))
	}
	if r.URL.Query().Get("watch") == "true" {
		p.serveWatch(w, r)
		return
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
