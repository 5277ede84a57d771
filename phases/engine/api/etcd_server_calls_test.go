package api

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/protobuf/proto"
)

func (s *etcdServer) Status(ctx context.Context, _ *pb.StatusRequest) (*pb.StatusResponse, error) {
	if s.silent {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	s.etcd.mu.Lock()
	defer s.etcd.mu.Unlock()
	said := &pb.StatusResponse{
		Header: &pb.ResponseHeader{MemberId: s.id}, Leader: s.etcd.leader, RaftTerm: 7, RaftAppliedIndex: s.applied,
		Errors: []string{fmt.Sprintf("memberID:%d alarm:NOSPACE ", 0xe7cd<<8+3)},
	}
	said.Version, said.StorageVersion = cmp.Or(s.version, "3.7.3"), cmp.Or(s.storage, "3.7.0")
	said.DbSize = 4711
	said.DowngradeInfo = &pb.DowngradeInfo{Enabled: s.etcd.target != "", TargetVersion: s.etcd.target}
	if i := s.etcd.index(s.id); i >= 0 {
		said.IsLearner = s.etcd.list[i].IsLearner
	}
	if s.etcd.headless {
		said.Header = nil
	}
	return said, nil
}

func (e *etcdCluster) index(id uint64) int {
	return slices.IndexFunc(e.list, func(m *pb.Member) bool { return m.ID == id })
}

// asks notes what is asked, and answers in etcd's place where the test says so.
func (s *etcdServer) asks(method string) (err error, apply bool) {
	s.etcd.asked = append(s.etcd.asked, s.name()+" "+method)
	if i := s.etcd.index(s.id); i >= 0 && s.etcd.list[i].IsLearner {
		return rpctypes.ErrGRPCNotSupportedForLearner, false
	}
	if s.etcd.answer != nil {
		return s.etcd.answer(method)
	}
	return nil, true
}

func (s *etcdServer) MemberList(ctx context.Context, r *pb.MemberListRequest) (*pb.MemberListResponse, error) {
	s.etcd.mu.Lock()
	defer s.etcd.mu.Unlock()
	if err, _ := s.asks("MemberList"); err != nil {
		return nil, err
	}
	if r.Linearizable && s.etcd.leader == 0 {
		return nil, rpctypes.ErrGRPCTimeout
	}
	return &pb.MemberListResponse{Header: &pb.ResponseHeader{MemberId: s.id}, Members: s.etcd.copies()}, nil
}

// copies is the list to answer with: gRPC reads an answer after the lock is released, when a
// member may change already.
func (e *etcdCluster) copies() []*pb.Member {
	list := make([]*pb.Member, len(e.list))
	for i, m := range e.list {
		list[i] = proto.CloneOf(m)
	}
	return list
}

func (s *etcdServer) MemberAdd(_ context.Context, r *pb.MemberAddRequest) (*pb.MemberAddResponse, error) {
	s.etcd.mu.Lock()
	defer s.etcd.mu.Unlock()
	err, apply := s.asks("MemberAdd")
	if apply {
		s.etcd.list = append(slices.Clone(s.etcd.list), &pb.Member{ID: 0xadd, PeerURLs: r.PeerURLs, IsLearner: r.IsLearner})
	}
	return &pb.MemberAddResponse{Header: &pb.ResponseHeader{}}, err
}

func (s *etcdServer) MemberPromote(_ context.Context, r *pb.MemberPromoteRequest) (*pb.MemberPromoteResponse, error) {
	s.etcd.mu.Lock()
	defer s.etcd.mu.Unlock()
	err, apply := s.asks("MemberPromote")
	if apply {
		s.etcd.list[s.etcd.index(r.ID)].IsLearner = false
	}
	return &pb.MemberPromoteResponse{Header: &pb.ResponseHeader{}}, err
}

func (s *etcdServer) MemberRemove(_ context.Context, r *pb.MemberRemoveRequest) (*pb.MemberRemoveResponse, error) {
	s.etcd.mu.Lock()
	defer s.etcd.mu.Unlock()
	err, apply := s.asks("MemberRemove")
	if apply {
		i := s.etcd.index(r.ID)
		s.etcd.list = slices.Delete(slices.Clone(s.etcd.list), i, i+1)
		if s.etcd.leader == r.ID {
			s.etcd.leader = s.etcd.list[0].ID
		}
	}
	return &pb.MemberRemoveResponse{Header: &pb.ResponseHeader{}}, err
}

func (s *etcdServer) MoveLeader(_ context.Context, r *pb.MoveLeaderRequest) (*pb.MoveLeaderResponse, error) {
	s.etcd.mu.Lock()
	defer s.etcd.mu.Unlock()
	if s.id != s.etcd.leader {
		return nil, rpctypes.ErrGRPCNotLeader
	}
	err, apply := s.asks("MoveLeader")
	if apply {
		s.etcd.leader = r.TargetID
	}
	return &pb.MoveLeaderResponse{}, err
}

// Downgrade begins, as etcd does: what is stored follows a while later, on each member by itself.
func (s *etcdServer) Downgrade(_ context.Context, r *pb.DowngradeRequest) (*pb.DowngradeResponse, error) {
	s.etcd.mu.Lock()
	defer s.etcd.mu.Unlock()
	err, apply := s.asks("Downgrade " + r.Action.String() + " " + r.Version)
	if !apply {
		return nil, err
	}
	s.etcd.target = ""
	if r.Action == pb.DowngradeRequest_ENABLE {
		s.etcd.target = r.Version + ".0"
		for i, member := range s.etcd.all {
			after(time.Duration(4+i)*time.Second, func() {
				s.etcd.mu.Lock()
				defer s.etcd.mu.Unlock()
				member.storage = s.etcd.target
			})
		}
	}
	return &pb.DowngradeResponse{}, err
}

// said tells who was asked to make a change, in order.
func (e *etcdCluster) said(method string) []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	var who []string
	for _, one := range e.asked {
		if name, found := strings.CutSuffix(one, " "+method); found {
			who = append(who, name)
		}
	}
	return who
}

// Snapshot streams what the test has set, in several messages as etcd does.
func (s *etcdServer) Snapshot(_ *pb.SnapshotRequest, stream pb.Maintenance_SnapshotServer) error {
	s.etcd.mu.Lock()
	left, stalls := s.etcd.snapshot, s.stalls
	s.etcd.mu.Unlock()
	for half := len(left) / 2; len(left) > 0; {
		n := min(32<<10, len(left))
		if stalls && len(left) <= half {
			<-stream.Context().Done()
			return stream.Context().Err()
		}
		if err := stream.Send(&pb.SnapshotResponse{Blob: left[:n]}); err != nil {
			return err
		}
		left = left[n:]
	}
	return nil
}
