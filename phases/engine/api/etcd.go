package api

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	grpcstatus "google.golang.org/grpc/status"
)

// EtcdOptions are how a Client reaches etcd: the member of each control plane on the
// host's own loopback or, where External has any, these URLs as seen from the hosts.
type EtcdOptions struct {
	CA, Cert, Key []byte // PEM
	// Loopback is where a member answers on its own host: the loopback's address of the family
	// that the cluster prefers; empty: 127.0.0.1.
	Loopback string
	External []string
}

// etcdPort is where a member answers clients, and loopbackName the name in every member's
// certificate that suits its own host's loopback: kubeadm's.
const (
	etcdPort     = "2379"
	loopbackName = "localhost"
)

// etcdPace is how long etcd is asked and tried.
type etcdPace struct {
	loopback time.Duration // bounds a member's answers on its own host
	network  time.Duration // bounds those of one that is asked from another host
	list     time.Duration // bounds a list of members that needs the quorum
	change   time.Duration // bounds one try of a change of members
	patience time.Duration // how long a change may be refused that etcd may take later
}

var usualEtcdPace = etcdPace{
	loopback: 2 * time.Second,
	network:  1200 * time.Millisecond,
	list:     time.Second,
	// etcd itself gives a request up after 5 s and two elections' time.
	change: 8 * time.Second,
	// etcd refuses a change until its members have been connected for 5 s (HealthInterval in
	// etcd's server); an election before that takes one or two more.
	patience: 30 * time.Second,
}

// etcd has a client for each member of the cluster's etcd.
type etcd struct {
	hosts    map[string]hosts.Host
	loopback string // host:port of a member on its own host
	external []string
	config   *tls.Config
	pace     etcdPace

	mu      sync.Mutex
	clients map[string]*memberClient // by host, or by URL
}

// newEtcd gives nil where no way to etcd is given.
func newEtcd(all map[string]hosts.Host, options EtcdOptions) (*etcd, error) {
	if len(options.CA) == 0 && len(options.External) == 0 {
		return nil, nil
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(options.CA) {
		return nil, errors.New("etcd's CA is no certificate in PEM")
	}
	pair, err := tls.X509KeyPair(options.Cert, options.Key)
	if err != nil {
		return nil, fmt.Errorf("etcd's client certificate: %w", err)
	}
	config := &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	loopback := net.JoinHostPort(cmp.Or(options.Loopback, "127.0.0.1"), etcdPort)
	return &etcd{hosts: all, loopback: loopback, external: options.External, config: config, pace: usualEtcdPace, clients: map[string]*memberClient{}}, nil
}

func (e *etcd) close() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, m := range e.clients {
		m.close()
	}
}

// known are the clients that need no list of members: of the control planes' own members, or
// of external URLs.
func (e *etcd) known() []*memberClient {
	var clients []*memberClient
	for _, address := range e.external {
		if m := e.at(address); m != nil {
			clients = append(clients, m)
		}
	}
	if len(e.external) > 0 {
		return clients
	}
	for _, host := range slices.Sorted(maps.Keys(e.hosts)) {
		clients = append(clients, e.on(host))
	}
	return clients
}

// on is the client of the member on a control plane's own loopback.
func (e *etcd) on(host string) *memberClient {
	return e.client(host, loopbackName, func() *memberClient {
		return &memberClient{
			name: "etcd on " + host, host: host, bound: e.pace.loopback,
			dialer: newDialer(newWay("etcd on", host, e.hosts[host], e.loopback)),
		}
	})
}

// at is the client of the member at a client URL, through whichever control plane reaches it.
// nil where the URL leads to no member from there.
func (e *etcd) at(address string) *memberClient {
	parsed, err := url.Parse(address)
	if err != nil || parsed.Scheme != "https" || parsed.Hostname() == "" {
		return nil
	}
	if ip := net.ParseIP(parsed.Hostname()); ip != nil && ip.IsLoopback() {
		return nil
	}
	if parsed.Port() == "" {
		parsed.Host = net.JoinHostPort(parsed.Hostname(), etcdPort)
	}
	return e.client(address, parsed.Hostname(), func() *memberClient {
		var ways []way
		for _, name := range slices.Sorted(maps.Keys(e.hosts)) {
			ways = append(ways, newWay("etcd from", name, e.hosts[name], parsed.Host))
		}
		return &memberClient{
			name: "etcd at " + parsed.Host, url: address, bound: e.pace.network,
			dialer: newDialer(ways...),
		}
	})
}

// client gives the client of that name; it is made once.
func (e *etcd) client(key, serverName string, made func() *memberClient) *memberClient {
	e.mu.Lock()
	defer e.mu.Unlock()
	m := e.clients[key]
	if m == nil {
		m = made()
		m.config = e.config.Clone()
		m.config.ServerName = serverName
		e.clients[key] = m
	}
	return m
}

// memberClient is a client of one member of etcd.
type memberClient struct {
	name   string // for errors: etcd on cp-1
	host   string // whose loopback the member is on, or else
	url    string // its client URL
	config *tls.Config
	dialer *dialer
	bound  time.Duration // of one question

	mu     sync.Mutex
	client *clientv3.Client
	failed error // what the last try to connect failed with
	closed bool
}

// open gives etcd's client; it connects when it is first asked something.
func (m *memberClient) open() (*clientv3.Client, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return nil, net.ErrClosed
	}
	if m.client != nil {
		return m.client, nil
	}
	client, err := clientv3.New(clientv3.Config{
		Endpoints: []string{"https://" + m.config.ServerName}, // the dialer knows where to
		TLS:       m.config,
		Logger:    zap.NewNop(), // a library does not print
		// The caller decides what is worth another try: the library's own would go on for a
		// hundred, and not say why.
		MaxUnaryRetries:    1,
		MaxCallRecvMsgSize: longestEtcdAnswer, // without one, 2 GiB
		DialOptions: []grpc.DialOption{
			grpc.WithContextDialer(m.dial),
			grpc.WithConnectParams(grpc.ConnectParams{
				Backoff:           backoff.Config{BaseDelay: 100 * time.Millisecond, Multiplier: 1.5, MaxDelay: time.Second},
				MinConnectTimeout: dialTime,
			}),
		},
	})
	m.client = client
	return client, err
}

func (m *memberClient) dial(ctx context.Context, _ string) (net.Conn, error) {
	conn, err := m.dialer.DialContext(ctx, "tcp", "")
	m.mu.Lock()
	defer m.mu.Unlock()
	m.failed = err
	return conn, err
}

// drop ends a client whose connection is lost, so that the next question makes a new one,
// through another host where there is one.
func (m *memberClient) drop(client *clientv3.Client) {
	m.mu.Lock()
	if m.client == client {
		m.client = nil
	}
	m.mu.Unlock()
	_ = client.Close()
	_, turn := m.dialer.state()
	m.dialer.turn(turn)
}

func (m *memberClient) close() {
	m.mu.Lock()
	client := m.client
	m.client, m.closed = nil, true
	m.mu.Unlock()
	if client != nil {
		_ = client.Close()
	}
	m.dialer.close()
}

// ask asks the member once, bounded.
func (m *memberClient) ask(ctx context.Context, bound time.Duration, question func(context.Context, *clientv3.Client) error) error {
	within, cancel := withinReach(ctx, bound, m.dialer.roundTrip)
	defer cancel()
	client, err := m.open()
	if err != nil {
		return fmt.Errorf("%s: %w", m.name, err)
	}
	err = clientv3.ContextError(within, question(within, client))
	if err == nil || saidByEtcd(err) {
		return err
	}
	m.drop(client)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err = m.reason(err, bound); strings.Contains(err.Error(), "x509: ") || strings.Contains(err.Error(), "tls: ") {
		return err // one side refuses the other's certificate: gRPC tells it as text only
	}
	return &transportError{err}
}

// status asks the member how it is. The library's own Status would dial anew.
func (m *memberClient) status(ctx context.Context) (status *pb.StatusResponse, err error) {
	err = m.ask(ctx, m.bound, func(ctx context.Context, client *clientv3.Client) (err error) {
		status, err = pb.NewMaintenanceClient(client.ActiveConnection()).Status(ctx, &pb.StatusRequest{})
		return err
	})
	return status, err
}

// members asks the member for the list; the one it last knew, where it need not be the
// quorum's.
func (m *memberClient) members(ctx context.Context, bound time.Duration, options ...clientv3.OpOption) (list []*pb.Member, err error) {
	err = m.ask(ctx, bound, func(ctx context.Context, client *clientv3.Client) error {
		response, err := client.MemberList(ctx, options...)
		if err == nil {
			list = response.Members
		}
		return err
	})
	return list, err
}

// saidByEtcd tells whether an error is a member's own answer.
func saidByEtcd(err error) bool {
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return false
	}
	if known := (rpctypes.EtcdError{}); errors.As(err, &known) {
		return true
	}
	switch grpcstatus.Code(err) {
	case codes.Unavailable, codes.DeadlineExceeded, codes.Canceled:
		return false
	default:
		return true
	}
}

// reason is why a member was not reached, without gRPC's wrappings.
func (m *memberClient) reason(err error, bound time.Duration) error {
	m.mu.Lock()
	failed := m.failed
	m.mu.Unlock()
	switch code := grpcstatus.Code(err); {
	case errors.Is(err, context.DeadlineExceeded) || code == codes.DeadlineExceeded:
		return fmt.Errorf("%s: no answer within %s", m.name, bound)
	case failed != nil && code == codes.Unavailable:
		return failed
	}
	text := grpcstatus.Convert(err).Message()
	if _, after, found := strings.Cut(text, `desc = "transport: `); found {
		text = strings.TrimSuffix(after, `"`)
	}
	return fmt.Errorf("%s: %s", m.name, text)
}
