package api

import (
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
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	grpcstatus "google.golang.org/grpc/status"
)

// etcdPort is where a member answers clients on its own host's loopback, and loopbackName
// the name in every member's certificate that suits that: kubeadm's.
const (
	etcdPort     = "127.0.0.1:2379"
	loopbackName = "localhost"
)

// etcdPace is how long etcd is asked and tried.
type etcdPace struct {
	ask      time.Duration // bounds a member's answers on its own host
	afar     time.Duration // bounds those of one that is asked from another host
	list     time.Duration // bounds a list of members that needs the quorum
	change   time.Duration // bounds one try of a change of members
	patience time.Duration // how long a change may be refused that etcd may take later
}

var usualEtcdPace = etcdPace{
	ask:  2 * time.Second,
	afar: 1200 * time.Millisecond,
	list: time.Second,
	// etcd itself gives a request up after 5 s and two elections' time.
	change: 8 * time.Second,
	// etcd refuses a change until its members have been connected for 5 s (HealthInterval in
	// etcd's server); an election before that takes one or two more.
	patience: 30 * time.Second,
}

// etcd knows the ways to the members of the cluster's etcd.
type etcd struct {
	hosts    map[string]hosts.Host
	external []string
	config   *tls.Config
	pace     etcdPace

	mu    sync.Mutex
	doors map[string]*door // by host, or by URL
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
	return &etcd{hosts: all, external: options.External, config: config, pace: usualEtcdPace, doors: map[string]*door{}}, nil
}

func (e *etcd) close() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, d := range e.doors {
		d.close()
	}
}

// front are the doors that are known without a list of members.
func (e *etcd) front() []*door {
	var doors []*door
	if len(e.external) > 0 {
		for _, address := range e.external {
			if d := e.at(address); d != nil {
				doors = append(doors, d)
			}
		}
		return doors
	}
	for _, host := range slices.Sorted(maps.Keys(e.hosts)) {
		doors = append(doors, e.own(host))
	}
	return doors
}

// own is the door on a control plane's own loopback.
func (e *etcd) own(host string) *door {
	return e.door(host, func() *door {
		return &door{
			name: "etcd on " + host, host: host, config: e.named(loopbackName), bound: e.pace.ask,
			dialer: newDialer("etcd on", e.hosts, map[string]string{host: etcdPort}, []string{host}),
		}
	})
}

// at is the door at a client URL, as seen from whichever control plane reaches it. nil
// where the URL leads to no member from there.
func (e *etcd) at(address string) *door {
	parsed, err := url.Parse(address)
	if err != nil || parsed.Scheme != "https" || parsed.Hostname() == "" {
		return nil
	}
	if ip := net.ParseIP(parsed.Hostname()); ip != nil && ip.IsLoopback() {
		return nil
	}
	if parsed.Port() == "" {
		parsed.Host = net.JoinHostPort(parsed.Hostname(), "2379")
	}
	return e.door(address, func() *door {
		names := slices.Sorted(maps.Keys(e.hosts))
		everywhere := map[string]string{}
		for _, name := range names {
			everywhere[name] = parsed.Host
		}
		return &door{
			name: "etcd at " + parsed.Host, url: address, config: e.named(parsed.Hostname()), bound: e.pace.afar,
			dialer: newDialer("etcd from", e.hosts, everywhere, names),
		}
	})
}

func (e *etcd) named(server string) *tls.Config {
	config := e.config.Clone()
	config.ServerName = server
	return config
}

// door gives the door of that name; it is made once.
func (e *etcd) door(key string, made func() *door) *door {
	e.mu.Lock()
	defer e.mu.Unlock()
	d := e.doors[key]
	if d == nil {
		d = made()
		e.doors[key] = d
	}
	return d
}

// door is a way to one member of etcd.
type door struct {
	name   string // for errors: etcd on cp-1
	host   string // whose loopback it is on, or else
	url    string // the client URL that it stands for
	config *tls.Config
	dialer *dialer
	bound  time.Duration // of what is asked when looking around

	mu     sync.Mutex
	client *clientv3.Client
	failed error // what the last try to connect failed with
	closed bool
}

// open gives the door's client; it connects when it is first asked something.
func (d *door) open() (*clientv3.Client, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nil, net.ErrClosed
	}
	if d.client != nil {
		return d.client, nil
	}
	client, err := clientv3.New(clientv3.Config{
		Endpoints: []string{"https://" + d.config.ServerName}, // the dialer knows where to
		TLS:       d.config,
		Logger:    zap.NewNop(), // a library does not print
		// What is worth another try is for the caller to say: the library's own would go on
		// for a hundred, without a word of why.
		MaxUnaryRetries:    1,
		MaxCallRecvMsgSize: longestEtcdAnswer, // without one, 2 GiB
		DialOptions: []grpc.DialOption{
			grpc.WithContextDialer(d.dial),
			grpc.WithConnectParams(grpc.ConnectParams{
				Backoff:           backoff.Config{BaseDelay: 100 * time.Millisecond, Multiplier: 1.5, MaxDelay: time.Second},
				MinConnectTimeout: dialTime,
			}),
		},
	})
	d.client = client
	return client, err
}

func (d *door) dial(ctx context.Context, _ string) (net.Conn, error) {
	conn, err := d.dialer.DialContext(ctx, "tcp", "")
	d.mu.Lock()
	defer d.mu.Unlock()
	d.failed = err
	return conn, err
}

// drop ends a client whose connection is no good, so that the next question makes a new
// one, through another host where there is one.
func (d *door) drop(client *clientv3.Client) {
	d.mu.Lock()
	if d.client == client {
		d.client = nil
	}
	d.mu.Unlock()
	_ = client.Close()
	_, turn := d.dialer.state()
	d.dialer.turn(turn)
}

func (d *door) close() {
	d.mu.Lock()
	client := d.client
	d.client, d.closed = nil, true
	d.mu.Unlock()
	if client != nil {
		_ = client.Close()
	}
	d.dialer.close()
}

// ask asks the member behind the door once, bounded.
func (d *door) ask(ctx context.Context, bound time.Duration, question func(context.Context, *clientv3.Client) error) error {
	within, cancel := context.WithTimeout(ctx, bound)
	defer cancel()
	client, err := d.open()
	if err != nil {
		return fmt.Errorf("%s: %w", d.name, err)
	}
	err = clientv3.ContextError(within, question(within, client))
	if err == nil || spoke(err) {
		return err
	}
	d.drop(client)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err = d.plain(err, bound); strings.Contains(err.Error(), "x509: ") || strings.Contains(err.Error(), "tls: ") {
		return err // one side refuses the other's certificate: gRPC tells it as text only
	}
	return &transportError{err}
}

// status asks the member how it is. The library's own Status would dial anew.
func (d *door) status(ctx context.Context, bound time.Duration) (said *pb.StatusResponse, err error) {
	err = d.ask(ctx, bound, func(ctx context.Context, client *clientv3.Client) error {
		var err error
		said, err = pb.NewMaintenanceClient(client.ActiveConnection()).Status(ctx, &pb.StatusRequest{})
		return err
	})
	return said, err
}

// members asks the member for the list; the one it last knew, where it need not be the
// quorum's.
func (d *door) members(ctx context.Context, bound time.Duration, options ...clientv3.OpOption) (list []*pb.Member, err error) {
	err = d.ask(ctx, bound, func(ctx context.Context, client *clientv3.Client) error {
		said, err := client.MemberList(ctx, options...)
		if err == nil {
			list = said.Members
		}
		return err
	})
	return list, err
}

// plain is the reason why a member was not reached, without gRPC's wrappings.
func (d *door) plain(err error, bound time.Duration) error {
	d.mu.Lock()
	failed := d.failed
	d.mu.Unlock()
	switch code := grpcstatus.Code(err); {
	case errors.Is(err, context.DeadlineExceeded) || code == codes.DeadlineExceeded:
		return fmt.Errorf("%s: no answer within %s", d.name, bound)
	case failed != nil && code == codes.Unavailable:
		return failed
	}
	text := grpcstatus.Convert(err).Message()
	if _, after, found := strings.Cut(text, `desc = "transport: `); found {
		text = strings.TrimSuffix(after, `"`)
	}
	return fmt.Errorf("%s: %s", d.name, text)
}
