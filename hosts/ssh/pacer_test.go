package ssh

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"

	"github.com/slipway-k8s/slipway/hosts/hosttest/slowline"
)

// distant is a host at the end of a line: an sshd with SFTP, in memory.
type distant struct {
	*connection
	files *sftp.Client
	agent *sftp.Client // a session of its own, as the agent's is
	disk  *sink
}

// sink takes files in, and keeps only how many bytes have come. sftp's own for tests has a slow disk.
type sink struct{ came atomic.Int64 }

func (s *sink) WriteAt(data []byte, _ int64) (int, error) {
	s.came.Add(int64(len(data)))
	return len(data), nil
}

func (s *sink) Filewrite(*sftp.Request) (io.WriterAt, error) { return s, nil }

// serve is the host's end.
func serve(t *testing.T, conn net.Conn, signer ssh.Signer, disk *sink) {
	config := &ssh.ServerConfig{NoClientAuth: true}
	config.AddHostKey(signer)
	_, channels, requests, err := ssh.NewServerConn(conn, config)
	if err != nil {
		t.Errorf("serve: %v", err)
		return
	}
	go ssh.DiscardRequests(requests)
	for offered := range channels {
		channel, asked, err := offered.Accept()
		if err != nil {
			return
		}
		go func() {
			for one := range asked {
				_ = one.Reply(one.Type == "subsystem", nil)
			}
		}()
		handlers := sftp.InMemHandler()
		handlers.FilePut = disk
		server := sftp.NewRequestServer(channel, handlers)
		go func() {
			_ = server.Serve()
			_ = channel.Close()
		}()
	}
}

// far connects to a host over lines that others may use too.
func far(t *testing.T, out, back *slowline.Line) *distant {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	near, end := net.Pipe()
	disk := &sink{}
	go serve(t, end, signer, disk)
	conn, channels, requests, err := ssh.NewClientConn(slowline.Between(near, out, back), "", &ssh.ClientConfig{
		User: "root", HostKeyCallback: ssh.FixedHostKey(signer.PublicKey()),
	})
	if err != nil {
		t.Fatal(err)
	}
	c := &connection{Client: ssh.NewClient(conn, channels, requests), ended: make(chan struct{})}
	files, err := sftp.NewClient(c.Client, sftp.MaxPacketUnchecked(packetSize), sftp.UseConcurrentWrites(true), sftp.MaxConcurrentRequestsPerFile(packetsUnderWay))
	if err != nil {
		t.Fatal(err)
	}
	agent, err := sftp.NewClient(c.Client)
	if err != nil {
		t.Fatal(err)
	}
	return &distant{c, files, agent, disk}
}

// drained lets come to its end what is still on a line.
func drained() { time.Sleep(12 * time.Hour) }

// longestAnswer asks for a sign of life each three seconds until it is told to end, and gives the longest that
// one took.
func (d *distant) longestAnswer(end <-chan struct{}) time.Duration {
	var longest time.Duration
	for {
		began := time.Now()
		if _, err := d.agent.Lstat("/"); err != nil {
			return time.Hour
		}
		longest = max(longest, time.Since(began))
		select {
		case <-end:
			return longest
		case <-time.After(3 * time.Second):
		}
	}
}

// TestContentHoldsUpNoSignOfLife: with two megabits for four hosts, 300 ms and a lost packet of a hundred, each
// answers in time while content is sent to all, and the line is as busy as it can be.
func TestContentHoldsUpNoSignOfLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		defer drained()
		const each, rate = 4 << 20, 250_000
		out := &slowline.Line{Delay: 150 * time.Millisecond, Rate: rate, Loss: 0.01}
		back := &slowline.Line{Delay: 150 * time.Millisecond, Rate: rate, Loss: 0.01}
		content := make([]byte, each)
		_, _ = rand.Read(content)
		var all sync.WaitGroup
		began := time.Now()
		for range 4 {
			all.Go(func() {
				host := far(t, out, back)
				sent := make(chan struct{})
				go func() {
					defer close(sent)
					if err := sendFile(t.Context(), host.files, "/blob", 0, host.paced(bytes.NewReader(content))); err != nil {
						t.Errorf("send: %v", err)
					}
				}()
				if longest := host.longestAnswer(sent); longest > keepalivePatience*2/3 {
					t.Errorf("a sign of life took %s", longest)
				}
				if came := host.disk.came.Load(); came != each {
					t.Errorf("of %d bytes %d have come", each, came)
				}
				_ = host.Close()
			})
		}
		all.Wait()
		least := time.Duration(4 * each / rate * int(time.Second))
		if took := time.Since(began); took > least*5/4 {
			t.Errorf("it took %s; the line could have carried it in %s", took, least)
		}
	})
}

// TestPaceOfALine: a fast line is not held back, near or far, and of a slow one no more is on its way than a few
// seconds' worth.
func TestPaceOfALine(t *testing.T) {
	tests := map[string]struct {
		line   *slowline.Line
		size   int
		within time.Duration
	}{
		"a line of two megabits, 300 ms away": {&slowline.Line{Delay: 150 * time.Millisecond, Rate: 250_000}, 4 << 20, 19 * time.Second},
		"a line without bounds":               {&slowline.Line{}, 64 << 20, 500 * time.Millisecond},
		"a gigabit":                           {&slowline.Line{Delay: 100 * time.Microsecond, Rate: 125 << 20}, 256 << 20, 2300 * time.Millisecond},
	}
	for name, test := range tests {
		synctest.Test(t, func(t *testing.T) {
			defer drained()
			host := far(t, test.line, &slowline.Line{Delay: test.line.Delay})
			began := time.Now()
			in := host.paced(io.LimitReader(zeros{}, int64(test.size)))
			if err := sendFile(t.Context(), host.files, "/blob", 0, in); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(began); took > test.within {
				t.Errorf("%s: it took %s", name, took)
			}
			_ = host.Close()
		})
	}
}

// TestPaceEndsWithTheConnection: whoever waits for its turn is let go, and hears of the end by sending.
func TestPaceEndsWithTheConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		defer drained()
		host := far(t, &slowline.Line{Rate: 1000}, &slowline.Line{})
		failed := make(chan error)
		go func() {
			failed <- sendFile(t.Context(), host.files, "/blob", 0, host.paced(io.LimitReader(zeros{}, 4<<20)))
		}()
		time.Sleep(time.Minute)
		_ = host.Close()
		if err := <-failed; err == nil {
			t.Error("all was sent over a connection that has ended")
		}
	})
}
