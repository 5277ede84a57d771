package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc/grpclog"
)

// ownMembers are where this host's member may listen: on the loopback of the family that the
// cluster prefers.
var ownMembers = []string{"127.0.0.1:2379", "[::1]:2379"}

const (
	pkiFolder       = "/etc/kubernetes/pki/etcd"
	handOverTimeout = 3 * time.Second // of all of it: the shutdown of a host must not wait longer
	memberTimeout   = time.Second     // of what one member is asked
)

// handOver moves the leadership from this host's member to another, if it has it. A
// shutdown ends etcd together with all else. If this member leads then, the others elect a new
// leader only after the election timeout, and for a second or two no write succeeds.
//
// What it uses is what kubeadm leaves for health checks: a client certificate of etcd's CA.
func handOver() error {
	ctx, cancel := context.WithTimeout(context.Background(), handOverTimeout)
	defer cancel()
	config, err := clientTLS()
	if err != nil {
		return err
	}
	member := ownMember()
	own, err := open(config, member)
	if err != nil {
		return err
	}
	defer own.Close()
	here, err := status(ctx, own, member)
	if err != nil {
		return fmt.Errorf("ask this host's member who leads: %w", err)
	}
	if here.Leader != here.Header.MemberId {
		return nil
	}
	list, err := own.MemberList(ctx)
	if err != nil {
		return fmt.Errorf("ask who else is a member: %w", err)
	}
	next := furthest(ctx, config, list.Members, here.Header.MemberId)
	if next == nil {
		return errors.New("no other member answers")
	}
	if _, err := own.MoveLeader(ctx, next.ID); err != nil {
		return fmt.Errorf("move the leadership to %s: %w", next.Name, err)
	}
	fmt.Printf("%s leads now\n", next.Name)
	return nil
}

// ownMember is this host's member: the first address where somebody listens. A connection that
// is refused costs nothing, which a client of etcd would try again until its time is over.
func ownMember() string {
	for _, address := range ownMembers {
		if conn, err := net.DialTimeout("tcp", address, memberTimeout); err == nil {
			conn.Close()
			return "https://" + address
		}
	}
	return "https://" + ownMembers[0]
}

func clientTLS() (*tls.Config, error) {
	ca, err := os.ReadFile(filepath.Join(pkiFolder, "ca.crt"))
	if err != nil {
		return nil, err
	}
	pair, err := tls.LoadX509KeyPair(filepath.Join(pkiFolder, "healthcheck-client.crt"), filepath.Join(pkiFolder, "healthcheck-client.key"))
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(ca) {
		return nil, errors.New("ca.crt holds no certificate")
	}
	return &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}, nil
}

func open(config *tls.Config, endpoints ...string) (*clientv3.Client, error) {
	clientv3.SetLogger(grpclog.NewLoggerV2(os.Stderr, os.Stderr, os.Stderr))
	return clientv3.New(clientv3.Config{Endpoints: endpoints, TLS: config, DialTimeout: memberTimeout})
}

func status(ctx context.Context, client *clientv3.Client, endpoint string) (*clientv3.StatusResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, memberTimeout)
	defer cancel()
	return client.Status(ctx, endpoint)
}

// furthest is the voting member that answers and has applied most; nil where none answers.
// They are asked at once.
func furthest(ctx context.Context, config *tls.Config, members []*pb.Member, except uint64) *pb.Member {
	type answer struct {
		member  *pb.Member
		applied uint64
	}
	said := make(chan answer, len(members))
	asked := 0
	for _, member := range members {
		if member.ID == except || member.IsLearner || len(member.ClientURLs) == 0 {
			continue
		}
		asked++
		go func() {
			said <- answer{member, applied(ctx, config, member.ClientURLs)}
		}()
	}
	var best answer
	for range asked {
		if a := <-said; a.applied > best.applied {
			best = a
		}
	}
	return best.member
}

// applied is the index that a member has applied; 0 where it does not answer.
func applied(ctx context.Context, config *tls.Config, urls []string) uint64 {
	client, err := open(config, urls...)
	if err != nil {
		return 0
	}
	defer client.Close()
	found, err := status(ctx, client, urls[0])
	if err != nil {
		return 0
	}
	return found.RaftAppliedIndex
}
