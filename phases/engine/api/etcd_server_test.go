package api

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
)

// etcdCluster is an etcd in memory: each member is a gRPC server of etcd's own services,
// reached on its host's loopback and, from every host, by its client URL.
type etcdCluster struct {
	t       *testing.T
	ca      authority
	cluster *cluster

	mu       sync.Mutex
	list     []*pb.Member
	servers  map[uint64]*etcdServer
	all      []*etcdServer // to be stopped
	leader   uint64
	headless bool     // answers have no header
	asked    []string // member and method
	target   string   // of a downgrade that is under way
	snapshot []byte   // what a snapshot is
	// answer, if set, answers in etcd's place; apply lets a change be made as well.
	answer func(method string) (err error, apply bool)
}

// etcdServer is one member's server.
type etcdServer struct {
	pb.UnimplementedClusterServer
	pb.UnimplementedMaintenanceServer
	etcd    *etcdCluster
	id      uint64
	applied uint64
	down    error
	hangs   bool
	silent  bool // takes connections and answers nothing
	stalls  bool // gives half of a snapshot, and no more
	storage string
	version string
	server  *grpc.Server
	conns   chan net.Conn
	closed  chan struct{}
	once    sync.Once
	open    []net.Conn
}

func (s *etcdServer) Accept() (net.Conn, error) {
	select {
	case conn := <-s.conns:
		return conn, nil
	case <-s.closed:
		return nil, net.ErrClosed
	}
}
func (s *etcdServer) Addr() net.Addr { return &net.TCPAddr{} }
func (s *etcdServer) Close() error   { s.once.Do(func() { close(s.closed) }); return nil }

// playEtcd runs a test on an etcd with a member on each of these hosts, the first of them
// the leader, and on a client that is connected to some of them.
func playEtcd(t *testing.T, names, connected []string, test func(t *testing.T, e *etcdCluster, client *Client)) {
	t.Helper()
	play(t, connected, func(t *testing.T, c *cluster, _ *Client) {
		e := &etcdCluster{t: t, ca: newAuthority(t), cluster: c, servers: map[uint64]*etcdServer{}}
		for i, name := range names {
			e.join(name, fmt.Sprintf("10.0.0.%d", i+1))
		}
		e.leader = e.list[0].ID
		client := e.client(e.ca, nil)
		defer func() {
			client.Close()
			for _, s := range e.all {
				s.stop()
			}
		}()
		test(t, e, client)
	})
}

func (e *etcdCluster) client(trusted authority, external []string) *Client {
	cert, key := e.ca.leaf(e.t, "slipway")
	return e.cluster.clientWith(e.cluster.ca, func(options *Options) {
		options.Etcd = EtcdOptions{CA: trusted.pem(), Cert: cert, Key: key, External: external}
	})
}

// clientThat is a client of the cluster's own with further options.
func (e *etcdCluster) clientThat(has func(*Options)) *Client {
	cert, key := e.ca.leaf(e.t, "slipway")
	return e.cluster.clientWith(e.cluster.ca, func(options *Options) {
		options.Etcd = EtcdOptions{CA: e.ca.pem(), Cert: cert, Key: key}
		has(options)
	})
}

// idOf is a member's id, which its address gives.
func idOf(address string) uint64 {
	ip := net.ParseIP(address).To4()
	return 0xe7cd<<8 + uint64(ip[3])
}

// join adds a voting member that runs.
func (e *etcdCluster) join(name, address string) *etcdServer {
	member := &pb.Member{
		ID: idOf(address), Name: name, PeerURLs: []string{"https://" + address + ":2380"}, ClientURLs: []string{"https://" + address + ":2379"},
	}
	s := e.serve(e.ca, member.ID, address)
	e.mu.Lock()
	e.list = append(e.list, member)
	e.mu.Unlock()
	e.route(name, address, s)
	return s
}

// etcdAt is where a member answers on its own host, where nothing else is said.
const etcdAt = "127.0.0.1:2379"

// route leads to a server from its host's loopback, and from everywhere by its address.
func (e *etcdCluster) route(name, address string, s *etcdServer) {
	e.cluster.mu.Lock()
	defer e.cluster.mu.Unlock()
	before := e.cluster.routes[etcdAt]
	e.cluster.routes[etcdAt] = func(ctx context.Context, from string) (net.Conn, error) {
		switch {
		case from == name:
			return s.dial(ctx)
		case before != nil:
			return before(ctx, from)
		}
		return nil, errDown
	}
	e.cluster.routes[address+":2379"] = func(ctx context.Context, _ string) (net.Conn, error) { return s.dial(ctx) }
}

func (e *etcdCluster) serve(ca authority, id uint64, address string) *etcdServer {
	certPEM, keyPEM := ca.leaf(e.t, loopbackName, address)
	pair, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		e.t.Fatal(err)
	}
	clients := x509.NewCertPool()
	clients.AddCert(e.ca.cert)
	s := &etcdServer{etcd: e, id: id, applied: 100, conns: make(chan net.Conn), closed: make(chan struct{})}
	s.server = grpc.NewServer(grpc.Creds(credentials.NewTLS(&tls.Config{
		Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: clients,
	})))
	pb.RegisterClusterServer(s.server, s)
	pb.RegisterMaintenanceServer(s.server, s)
	go func() { _ = s.server.Serve(s) }()
	e.mu.Lock()
	defer e.mu.Unlock()
	e.servers[id] = s
	e.all = append(e.all, s)
	return s
}

func (s *etcdServer) stop() {
	_ = s.Close()
	s.server.Stop()
	s.fail(errDown)
}

// fail ends what is open, and lets nothing in for as long as err is not nil.
func (s *etcdServer) fail(err error) {
	s.etcd.mu.Lock()
	defer s.etcd.mu.Unlock()
	s.down = err
	for _, conn := range s.open {
		_ = conn.Close()
	}
	s.open = nil
}

func (s *etcdServer) dial(ctx context.Context) (net.Conn, error) {
	s.etcd.mu.Lock()
	down, hangs := s.down, s.hangs
	s.etcd.mu.Unlock()
	if hangs {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	if down != nil {
		return nil, down
	}
	near, far := pipe()
	select {
	case s.conns <- far:
	case <-s.closed:
		return nil, errDown
	}
	s.etcd.mu.Lock()
	defer s.etcd.mu.Unlock()
	s.open = append(s.open, near)
	return near, nil
}

// name is the member's, for the account of what was asked.
func (s *etcdServer) name() string {
	for _, m := range s.etcd.list {
		if m.ID == s.id {
			return m.Name
		}
	}
	return memberID(s.id)
}

var errNoRoute = &hosts.Error{Kind: hosts.KindBroken, Op: "connect", Err: errors.New("no route to host")}

const second = time.Second
