package main_test

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"slices"
	"strconv"
	"strings"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"

	"github.com/slipway-k8s/slipway/hosts/hosttest"
	"github.com/slipway-k8s/slipway/manifests"
)

const (
	etcdMember = manifests.EtcdData + "/member/wal"
	etcdPKI    = "/etc/kubernetes/pki/etcd/"
)

// memberServer is the etcd of one host.
type memberServer struct {
	pb.UnimplementedClusterServer
	pb.UnimplementedMaintenanceServer
	host *stageHost
}

func (h *stageHost) startEtcd() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		h.t.Fatal(err)
	}
	server := grpc.NewServer(grpc.Creds(credentials.NewTLS(&tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
		return h.tlsOf(etcdPKI+"server", etcdPKI+"ca.crt", tls.RequireAndVerifyClientCert)
	}})))
	pb.RegisterClusterServer(server, &memberServer{host: h})
	pb.RegisterMaintenanceServer(server, &memberServer{host: h})
	go func() { _ = server.Serve(listener) }() // its end is Stop's
	h.t.Cleanup(server.Stop)
	h.etcd = listener
}

// tlsOf serves with what lies on the machine: a certificate and its key, and the CA of clients.
func (h *stageHost) tlsOf(pair, ca string, clients tls.ClientAuthType) (*tls.Config, error) {
	cert, _, _ := h.machine.ReadFile(pair + ".crt")
	key, _, _ := h.machine.ReadFile(pair + ".key")
	authority, _, _ := h.machine.ReadFile(ca)
	own, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(authority) {
		return nil, errors.New("the machine has no " + ca)
	}
	return &tls.Config{Certificates: []tls.Certificate{own}, ClientCAs: pool, ClientAuth: clients, NextProtos: []string{"h2", "http/1.1"}}, nil
}

// member is the member of etcd whose data a host has; nil where it has none, or that of a member
// which was removed.
func (h *stageHost) member() *pb.Member {
	if !h.machine.Has(etcdMember) {
		h.memberID = 0
	}
	return h.cluster.memberBy(func(m *pb.Member) bool { return m.ID == h.memberID })
}

func (h *stageHost) votes() bool {
	m := h.member()
	return runsEtcd(h) && !m.IsLearner
}

func (c *fakeCluster) memberBy(is func(*pb.Member) bool) *pb.Member {
	if at := slices.IndexFunc(c.members, is); at >= 0 {
		return c.members[at]
	}
	return nil
}

func (c *fakeCluster) quorum() bool {
	voters, up := 0, 0
	for _, m := range c.members {
		if !m.IsLearner {
			voters++
		}
	}
	for _, h := range c.hosts {
		if h.votes() {
			up++
		}
	}
	return up > voters/2
}

// leader is the member that was made it, else the first voting one that runs; 0 without a quorum.
func (c *fakeCluster) leader() uint64 {
	if !c.quorum() {
		return 0
	}
	if !slices.ContainsFunc(c.hosts, func(h *stageHost) bool { return h.votes() && h.memberID == c.led }) {
		c.led = c.hosts[slices.IndexFunc(c.hosts, (*stageHost).votes)].memberID
	}
	return c.led
}

// beginEtcds starts the members that may begin: those of a new cluster all at once, others when
// they have been added to one that has a quorum.
func (c *fakeCluster) beginEtcds() {
	for _, h := range c.hosts {
		note, _, may := h.machine.ReadFile(manifests.EtcdMayBegin)
		if !may || !h.runs(manifests.EtcdManifest) || h.machine.Has(etcdMember) {
			continue
		}
		content, _, _ := h.machine.ReadFile(manifests.EtcdManifest)
		initial, _ := manifests.InitialClusterOf(content)
		if string(note) == "new\n" && len(c.members) == 0 {
			for _, m := range initial.Members {
				c.addMember(m.Name, m.PeerURL, false)
			}
		}
		own := c.memberBy(func(m *pb.Member) bool { return m.PeerURLs[0] == "https://"+h.address+":2380" })
		if own == nil || string(note) != "new\n" && !c.quorum() {
			continue // it ends, and is started again
		}
		own.Name, own.ClientURLs, h.memberID = h.name, []string{"https://" + h.address + ":2379"}, own.ID
		h.machine.PutFile(etcdMember+"/0.wal", nil, 0o600)
		h.machine.Rename(manifests.EtcdMayBegin, manifests.EtcdBegun)
	}
}

// addMember adds a member; its id is its address.
func (c *fakeCluster) addMember(name, peer string, learner bool) {
	address := strings.TrimSuffix(strings.TrimPrefix(peer, "https://"), ":2380")
	id, _ := strconv.ParseUint("e"+strings.ReplaceAll(address, ".", ""), 16, 64) // decimal digits are hexadecimal ones
	c.members = append(c.members, &pb.Member{ID: id, Name: name, PeerURLs: []string{peer}, IsLearner: learner})
}

// asked locks the cluster for a question, which is answered by a member that runs.
func (s *memberServer) asked(forQuorum bool) (answer func(), err error) {
	c := s.host.cluster
	c.mu.Lock()
	c.settle()
	switch {
	case !runsEtcd(s.host):
		err = status.Error(codes.Unavailable, "connection refused")
	case forQuorum && s.host.member().IsLearner:
		err = rpctypes.ErrGRPCNotSupportedForLearner
	case forQuorum && c.leader() == 0:
		err = rpctypes.ErrGRPCNoLeader
	}
	if err != nil {
		c.mu.Unlock()
		return nil, err
	}
	return c.mu.Unlock, nil
}

func (s *memberServer) header() *pb.ResponseHeader {
	return &pb.ResponseHeader{MemberId: s.host.memberID}
}

func (s *memberServer) Status(context.Context, *pb.StatusRequest) (*pb.StatusResponse, error) {
	answer, err := s.asked(false)
	if err != nil {
		return nil, err
	}
	defer answer()
	return &pb.StatusResponse{
		Header: s.header(), Leader: s.host.cluster.leader(), RaftTerm: 2, RaftAppliedIndex: 100, IsLearner: s.host.member().IsLearner,
	}, nil
}

func (s *memberServer) MemberList(_ context.Context, r *pb.MemberListRequest) (*pb.MemberListResponse, error) {
	answer, err := s.asked(r.Linearizable)
	if err != nil {
		return nil, err
	}
	defer answer()
	var list []*pb.Member
	for _, m := range s.host.cluster.members { // a copy: it is sent when others may change it
		list = append(list, &pb.Member{ID: m.ID, Name: m.Name, PeerURLs: m.PeerURLs, ClientURLs: m.ClientURLs, IsLearner: m.IsLearner})
	}
	return &pb.MemberListResponse{Header: s.header(), Members: list}, nil
}

func (s *memberServer) MemberAdd(_ context.Context, r *pb.MemberAddRequest) (*pb.MemberAddResponse, error) {
	answer, err := s.asked(true)
	if err != nil {
		return nil, err
	}
	defer answer()
	s.host.cluster.addMember("", r.PeerURLs[0], r.IsLearner)
	return &pb.MemberAddResponse{Header: s.header()}, nil
}

func (s *memberServer) MemberPromote(_ context.Context, r *pb.MemberPromoteRequest) (*pb.MemberPromoteResponse, error) {
	answer, err := s.asked(true)
	if err != nil {
		return nil, err
	}
	defer answer()
	learner := s.host.cluster.memberBy(func(m *pb.Member) bool { return m.ID == r.ID })
	if learner == nil || learner.Name == "" {
		return nil, rpctypes.ErrGRPCLearnerNotReady
	}
	learner.IsLearner = false
	return &pb.MemberPromoteResponse{Header: s.header()}, nil
}

func (s *memberServer) MemberRemove(_ context.Context, r *pb.MemberRemoveRequest) (*pb.MemberRemoveResponse, error) {
	answer, err := s.asked(true)
	if err != nil {
		return nil, err
	}
	defer answer()
	c := s.host.cluster
	c.members = slices.DeleteFunc(c.members, func(m *pb.Member) bool { return m.ID == r.ID })
	return &pb.MemberRemoveResponse{Header: s.header()}, nil
}

// Snapshot sends what stands for all data and, as etcd does, its SHA-256 at the end.
func (s *memberServer) Snapshot(_ *pb.SnapshotRequest, to grpc.ServerStreamingServer[pb.SnapshotResponse]) error {
	answer, err := s.asked(false)
	if err != nil {
		return err
	}
	defer answer()
	data := append(slices.Clone(hosttest.Etcd), "all that is in it"...)
	sum := sha256.Sum256(data)
	return to.Send(&pb.SnapshotResponse{Blob: append(data, sum[:]...)})
}

func (s *memberServer) MoveLeader(_ context.Context, r *pb.MoveLeaderRequest) (*pb.MoveLeaderResponse, error) {
	answer, err := s.asked(true)
	if err != nil {
		return nil, err
	}
	defer answer()
	s.host.cluster.led = r.TargetID
	return &pb.MoveLeaderResponse{Header: s.header()}, nil
}
