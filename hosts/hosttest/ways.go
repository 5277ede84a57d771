package hosttest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"

	"golang.org/x/crypto/ssh"
)

// Ways are how a client may log in to a Server. The zero value takes its IdentityFile, and connects to nobody.
type Ways struct {
	NoKeys    bool            // no key is let in
	Keys      []ssh.PublicKey // let in besides IdentityFile's
	UserCA    ssh.PublicKey   // whoever has a certificate by it is let in, for a principal of the user's name
	Password  string          // lets in by the method password; empty: there is no such method
	Questions []Exchange      // of keyboard-interactive, one round each; none: there is no such method
	Both      bool            // a key is not enough: the password or the questions come after it
	MaxTries  int             // as sshd's MaxAuthTries; 0: 6
	Forward   bool            // it connects for its clients: direct-tcpip
}

// Exchange is one round of keyboard-interactive.
type Exchange struct {
	Instruction string
	Prompts     []string
	Shown       []bool // whether an answer may be seen; nil: none
	Answers     []string
}

// Seen is what a Server has met.
type Seen struct {
	Connections int
	Logins      int      // that were let in
	Passwords   []string // that were tried
	Answers     []string // of keyboard-interactive
	Forwards    []string // addresses that it was to connect to
}

// SetWays is for connections made from now on.
func (s *Server) SetWays(ways Ways) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.ways = ways
}

// Seen is what it has met so far.
func (s *Server) Seen() Seen {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.seen
}

func (s *Server) note(change func(*Seen)) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	change(&s.seen)
}

var errNotLetIn = errors.New("not let in")

// config is for one connection; the caller holds the lock.
func (w Ways) config(s *Server) *ssh.ServerConfig {
	config := &ssh.ServerConfig{MaxAuthTries: w.MaxTries}
	second := ssh.ServerAuthCallbacks{}
	if w.Password != "" {
		second.PasswordCallback = func(_ ssh.ConnMetadata, password []byte) (*ssh.Permissions, error) {
			s.note(func(seen *Seen) { seen.Passwords = append(seen.Passwords, string(password)) })
			if string(password) != w.Password {
				return nil, errNotLetIn
			}
			return nil, nil
		}
	}
	if len(w.Questions) > 0 {
		second.KeyboardInteractiveCallback = func(_ ssh.ConnMetadata, ask ssh.KeyboardInteractiveChallenge) (*ssh.Permissions, error) {
			return nil, w.ask(s, ask)
		}
	}
	own := s.client
	if !w.NoKeys {
		config.PublicKeyCallback = func(conn ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
			if !w.letsIn(conn, key, own) {
				return nil, errNotLetIn
			}
			if w.Both {
				return nil, &ssh.PartialSuccessError{Next: second}
			}
			return nil, nil
		}
	}
	if !w.Both {
		config.PasswordCallback, config.KeyboardInteractiveCallback = second.PasswordCallback, second.KeyboardInteractiveCallback
	}
	return config
}

func (w Ways) letsIn(conn ssh.ConnMetadata, key, own ssh.PublicKey) bool {
	if cert, is := key.(*ssh.Certificate); is {
		checker := ssh.CertChecker{IsUserAuthority: func(authority ssh.PublicKey) bool {
			return w.UserCA != nil && bytes.Equal(authority.Marshal(), w.UserCA.Marshal())
		}}
		_, err := checker.Authenticate(conn, cert)
		return err == nil
	}
	for _, one := range append([]ssh.PublicKey{own}, w.Keys...) {
		if w.UserCA == nil && bytes.Equal(one.Marshal(), key.Marshal()) {
			return true
		}
	}
	return false
}

func (w Ways) ask(s *Server, ask ssh.KeyboardInteractiveChallenge) error {
	right := true
	for _, round := range w.Questions {
		shown := round.Shown
		if shown == nil {
			shown = make([]bool, len(round.Prompts))
		}
		answers, err := ask("", round.Instruction, round.Prompts, shown)
		if err != nil {
			return err
		}
		s.note(func(seen *Seen) { seen.Answers = append(seen.Answers, answers...) })
		for i := range round.Answers {
			right = right && i < len(answers) && answers[i] == round.Answers[i]
		}
	}
	if !right {
		return errNotLetIn
	}
	return nil
}

// forward connects for a client, where the Server does that.
func (s *Server) forward(offered ssh.NewChannel) {
	var to struct {
		Host       string
		Port       uint32
		OriginHost string
		OriginPort uint32
	}
	if err := ssh.Unmarshal(offered.ExtraData(), &to); err != nil {
		_ = offered.Reject(ssh.ConnectionFailed, err.Error())
		return
	}
	address := net.JoinHostPort(to.Host, strconv.Itoa(int(to.Port)))
	s.mutex.Lock()
	may := s.ways.Forward
	s.seen.Forwards = append(s.seen.Forwards, address)
	s.mutex.Unlock()
	if !may { // in OpenSSH's words
		_ = offered.Reject(ssh.Prohibited, "open failed")
		return
	}
	conn, err := net.Dial("tcp", address)
	if err != nil {
		_ = offered.Reject(ssh.ConnectionFailed, fmt.Sprint(err))
		return
	}
	defer conn.Close()
	channel, requests, err := offered.Accept()
	if err != nil {
		return
	}
	go ssh.DiscardRequests(requests)
	go func() {
		_, _ = io.Copy(conn, channel)
		_ = conn.Close()
	}()
	_, _ = io.Copy(channel, conn)
	_ = channel.Close()
}
