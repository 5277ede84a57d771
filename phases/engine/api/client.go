// Package api does what is done to the cluster and not to a host: it speaks to the API
// server, and to the etcd, of any healthy control plane, through that host's Dial or from
// another host that reaches them, so that nothing but the way to the hosts is needed.
package api

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"github.com/slipway-k8s/slipway/hosts"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"
)

// FieldManager is the name by which Slipway owns the fields that it applies.
const FieldManager = "slipway"

// serverName is in the certificate of every API server that kubeadm's catalogue
// describes, so one name suits all control planes.
const serverName = "kubernetes"

// Options are what a Client works with.
type Options struct {
	// Hosts are the control planes that are connected, by name.
	Hosts map[string]hosts.Host
	// Endpoints are the API servers' host:port, by host, as seen from that host.
	Endpoints map[string]string
	// Health is where the hosts' components other than the API server tell how they are: URLs as seen
	// from that host, by host and component.
	Health map[string]map[string]string
	// CA verifies the API servers; Cert and Key are the client's. PEM.
	CA, Cert, Key []byte
	// Etcd is how etcd is reached; the zero value where it need not be.
	Etcd EtcdOptions
	// Snapshots is where snapshots of etcd go; nil where none is taken.
	Snapshots Snapshots
	// APICall bounds a request to the API with all its tries, and EtcdCall how long etcd may refuse a
	// change of its members that it may take later; 2 min and 30 s unless said.
	APICall, EtcdCall time.Duration
	// AllHosts are all connected hosts, by name: the endpoint is looked at from them. Hosts
	// unless said.
	AllHosts map[string]hosts.Host
	// Ways lead to the API beside the control planes' own, and are tried after those.
	Ways []Way
}

// Way is a host that the API is reached from, which may be no control plane, and the API's
// address, host:port, as that host sees it.
type Way struct {
	From    string // the host's name
	Host    hosts.Host
	Address string
}

// Client speaks to the cluster. All its methods may be called concurrently.
type Client struct {
	hosts     map[string]hosts.Host
	all       map[string]hosts.Host // those that are no control plane as well
	endpoints map[string]string
	health    map[string]map[string]string
	config    *rest.Config
	etcd      *etcd // nil where it need not be reached
	snapshots Snapshots
	dialer    *dialer
	typed     *kubernetes.Clientset
	warming   chan struct{} // held while the first connection is made
	pace      pace
	clock     clock
	learned   sync.Map // kinds that an API server was asked for: an APIResource by GroupVersionKind

	mu     sync.Mutex
	single map[string]*single // clients of one API server each, by host
}

// pace is how often and how long things are tried.
type pace struct {
	poll     time.Duration // between two looks while waiting
	slow     time.Duration // the same, at what takes seconds
	rare     time.Duration // the same, at what no other step hurries for
	away     time.Duration // between two tries to connect: each costs the host a process
	retry    time.Duration // between two tries of a request
	try      time.Duration // bounds one try
	patience time.Duration // bounds a request with all its tries
	settling time.Duration // how long a new cluster may refuse or miss what will be there
	observe  time.Duration // bounds one try of an observation
	busy     time.Duration // the same, of API servers that are ready and have not answered in that time
	health   time.Duration // bounds a health endpoint's answer: without etcd it comes after 4 s
	endpoint time.Duration // bounds the first look at the endpoint: an address that no host has gives no answer
}

var usualPace = pace{
	poll:     100 * time.Millisecond,
	slow:     300 * time.Millisecond,
	rare:     time.Second,
	away:     250 * time.Millisecond,
	retry:    150 * time.Millisecond,
	try:      10 * time.Second,
	patience: 2 * time.Minute,
	settling: 20 * time.Second,
	observe:  3 * time.Second,
	busy:     30 * time.Second,
	health:   6 * time.Second,
	endpoint: time.Second,
}

// quiet keeps client-go from writing to stderr: a library does not print, and what it
// would say of a failed request is in the request's error.
var quiet = sync.OnceFunc(func() { klog.SetLogger(logr.Discard()) })

// New makes a client; it connects to nothing before it is asked something.
func New(options Options) (*Client, error) {
	quiet()
	var ways []way
	for _, name := range slices.Sorted(maps.Keys(options.Hosts)) {
		if options.Endpoints[name] == "" {
			return nil, fmt.Errorf("make a client of the cluster: no endpoint is known of %s", name)
		}
		ways = append(ways, newWay(theAPI, name, options.Hosts[name], options.Endpoints[name]))
	}
	for _, further := range options.Ways {
		name := further.Address + " from " + further.From
		ways = append(ways, way{name, further.Host, further.Address, "the API at " + name})
	}
	if options.AllHosts == nil {
		options.AllHosts = options.Hosts
	}
	c := &Client{
		hosts: options.Hosts, all: options.AllHosts, endpoints: options.Endpoints, health: options.Health, snapshots: options.Snapshots,
		dialer:  newDialer(ways...),
		warming: make(chan struct{}, 1), pace: usualPace,
		single: map[string]*single{},
	}
	c.pace.patience = cmp.Or(options.APICall, c.pace.patience)
	c.config = restConfig(options, c.dialer)
	c.config.Wrap(c.clock.around)
	c.config.Wrap(newBounds().around)
	var err error
	if c.etcd, err = newEtcd(options.Hosts, options.Etcd); err == nil {
		c.typed, err = kubernetes.NewForConfig(c.config)
	}
	if err != nil {
		return nil, fmt.Errorf("make a client of the cluster: %w", err)
	}
	if c.etcd != nil {
		c.etcd.pace.patience = cmp.Or(options.EtcdCall, c.etcd.pace.patience)
	}
	return c, nil
}

func restConfig(options Options, d *dialer) *rest.Config {
	return &rest.Config{
		Host:            "https://" + serverName,
		Dial:            d.DialContext,
		Proxy:           func(*http.Request) (*url.URL, error) { return nil, nil },
		QPS:             -1, // the API server has its own fairness
		UserAgent:       FieldManager,
		WarningHandler:  rest.NoWarnings{},
		TLSClientConfig: rest.TLSClientConfig{ServerName: serverName, CAData: options.CA, CertData: options.Cert, KeyData: options.Key},
		ContentConfig: rest.ContentConfig{
			ContentType:          runtime.ContentTypeJSON,
			NegotiatedSerializer: scheme.Codecs.WithoutConversion(),
		},
	}
}

// Through gives what a program that is built on client-go, such as kubectl, has to work with
// to reach the API by a local port of Forward: as the holder of a certificate, in memory.
func (c *Client) Through(server string, cert, key []byte) func(*rest.Config) *rest.Config {
	return func(*rest.Config) *rest.Config {
		return &rest.Config{
			Host: server, QPS: -1,
			TLSClientConfig: rest.TLSClientConfig{
				ServerName: c.config.ServerName, CAData: c.config.CAData, CertData: cert, KeyData: key,
			},
		}
	}
}

// Await tells the client that control planes are still being connected to: until Settled, a
// connection that none of those there can make waits for the others, within its time.
func (c *Client) Await() { c.dialer.await() }

// Join adds a control plane that was connected after the client was made; the endpoint is
// its API server's host:port as seen from it.
func (c *Client) Join(name string, host hosts.Host, endpoint string) {
	c.dialer.join(newWay(theAPI, name, host, endpoint))
}

// Settled tells the client that all are there that will be.
func (c *Client) Settled() { c.dialer.settled() }

// ServerName is the name that API servers are verified by.
func (c *Client) ServerName() string { return c.config.ServerName }

// Close ends all connections; the hosts stay open.
func (c *Client) Close() {
	c.dialer.close()
	if c.etcd != nil {
		c.etcd.close()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, one := range c.single {
		one.dialer.close()
	}
}

// single is a client of one API server.
type single struct {
	dialer    *dialer
	transport http.RoundTripper
	url       string
}

// only gives the client of one host's API server.
func (c *Client) only(host string) (*single, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if one, made := c.single[host]; made {
		return one, nil
	}
	if c.hosts[host] == nil {
		return nil, fmt.Errorf("reach the API server on %s: the host is not connected", host)
	}
	d := newDialer(newWay(theAPI, host, c.hosts[host], c.endpoints[host]))
	config := rest.CopyConfig(c.config)
	config.Dial = d.DialContext
	transport, err := rest.TransportFor(config)
	if err != nil {
		return nil, fmt.Errorf("reach the API server on %s: %w", host, err)
	}
	one := &single{dialer: d, transport: transport, url: config.Host}
	c.single[host] = one
	return one, nil
}
