package hosttest

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"

	"github.com/slipway-k8s/slipway/hosts/agent"
)

// session serves one session channel.
func (s *Server) session(channel ssh.Channel, requests <-chan *ssh.Request) {
	defer channel.Close()
	for request := range requests {
		var payload struct{ Text string }
		parsed := ssh.Unmarshal(request.Payload, &payload) == nil
		switch {
		case request.Type == "exec" && parsed:
			_ = request.Reply(true, nil)
			s.hands.Go(func() { ssh.DiscardRequests(requests) })
			s.execute(channel, payload.Text)
			return
		case request.Type == "subsystem" && parsed && payload.Text == "sftp" && !s.currentFaults().NoSFTP:
			_ = request.Reply(true, nil)
			s.hands.Go(func() { ssh.DiscardRequests(requests) })
			s.serveFiles(channel)
			return
		default:
			_ = request.Reply(false, nil)
		}
	}
}

// execute runs a command in the shell; where that ends in the agent's stand-in, the
// Fake is served, with what the shell left of stdin.
func (s *Server) execute(channel ssh.Channel, command string) {
	faults := s.currentFaults()
	if faults.Turns != "" {
		_, _ = io.WriteString(channel, faults.Turns)
		exitStatus(channel, faults.TurnsStatus)
		return
	}
	if faults.Signal != "" && !strings.Contains(command, "slipway-agent-inbox") {
		exitSignal(channel, faults.Signal)
		return
	}
	sum := strings.Contains(command, "sha256sum") && !strings.Contains(command, "mkdir")
	for line := bytes.Repeat([]byte("endless "), 4<<10); faults.Endless || faults.EndlessSums && sum; {
		n, err := channel.Write(line)
		s.mutex.Lock()
		s.sent += n
		s.mutex.Unlock()
		if err != nil {
			return
		}
	}
	in, fromClient, err := os.Pipe()
	if err != nil {
		return
	}
	defer in.Close()
	s.hands.Go(func() {
		_, _ = io.Copy(fromClient, channel) // an end is all that can come of it
		_ = fromClient.Close()
	})
	var stdout, stderr bytes.Buffer
	command = strings.ReplaceAll(command, "'"+usualDirectory+"'", "'"+s.Directory()+"'")
	run := exec.CommandContext(s.over, "sh", "-c", command)
	run.Env = []string{"HOME=" + s.Home, "PATH=" + filepath.Join(s.dir, "bin") + ":" + os.Getenv("PATH")}
	run.Dir = s.Home
	run.Stdin, run.Stdout, run.Stderr = in, &stdout, &stderr
	err = run.Run()
	before, line, started := strings.Cut(stdout.String(), agentMark)
	_, _ = io.WriteString(channel, faults.Noise+before) // a client that left hears nothing
	_, _ = channel.Stderr().Write(stderr.Bytes())
	if started {
		s.serveAgent(channel, in, strings.Fields(line))
		return
	}
	status := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		status = exit.ExitCode()
	} else if err != nil {
		status = 127
	}
	exitStatus(channel, status)
}

func exitStatus(channel ssh.Channel, status int) {
	_, _ = channel.SendRequest("exit-status", false, ssh.Marshal(struct{ Status uint32 }{uint32(status)}))
}

func exitSignal(channel ssh.Channel, signal string) {
	_, _ = channel.SendRequest("exit-signal", false, ssh.Marshal(struct {
		Signal     string
		CoreDumped bool
		Message    string
		Language   string
	}{Signal: signal}))
}

// agentSession is an agent that runs.
type agentSession struct {
	channel ssh.Channel
	signal  string // that kills it
	stop    context.CancelFunc
	once    sync.Once
}

// kill ends the session as that of a process that was killed.
func (a *agentSession) kill() {
	a.once.Do(func() {
		exitSignal(a.channel, cmp.Or(a.signal, "KILL"))
		_ = a.channel.Close()
		a.stop()
	})
}

// serveAgent serves the Fake as `slipway-agent --inbox DIR` would.
func (s *Server) serveAgent(channel ssh.Channel, in io.Reader, args []string) {
	if len(args) != 2 || args[0] != "--inbox" {
		_, _ = io.WriteString(channel.Stderr(), "unknown arguments: "+strings.Join(args, " "))
		exitStatus(channel, 2)
		return
	}
	ctx, stop := context.WithCancel(s.over)
	defer stop()
	session := &agentSession{channel: channel, signal: s.currentFaults().Signal, stop: stop}
	s.mutex.Lock()
	s.starts++
	s.agents[session] = true
	s.mutex.Unlock()
	host := s.Machine.Host()
	err := agent.Serve(ctx, host, in, channel, agent.ServeOptions{Version: Version, Inbox: args[1], Life: s.Life})
	_ = host.Close()
	s.mutex.Lock()
	delete(s.agents, session)
	s.mutex.Unlock()
	status := 0
	if err != nil {
		_, _ = io.WriteString(channel.Stderr(), err.Error()+"\n")
		status = 1
	}
	_ = channel.CloseWrite()
	exitStatus(channel, status)
}

// serveFiles serves this machine's own files by SFTP.
func (s *Server) serveFiles(channel ssh.Channel) {
	_, _ = io.WriteString(channel, s.currentFaults().NoiseInFiles)
	disk := &disk{space: s.currentFaults().DiskSpace}
	server := sftp.NewRequestServer(channel, sftp.Handlers{FileGet: disk, FilePut: disk, FileCmd: disk, FileList: disk})
	_ = server.Serve() // its end is the client's
	_ = server.Close()
}
