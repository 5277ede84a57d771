package lab

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"

	"golang.org/x/crypto/ssh"
)

// runOverSSH runs a command on a virtual machine as root. A command that ran and failed is no error.
func (l *Lab) runOverSSH(ctx context.Context, h *hostRecord, streams Streams, argv []string) (int, error) {
	client, err := l.login(ctx, h)
	if err != nil {
		return 0, err
	}
	defer client.Close()
	stop := context.AfterFunc(ctx, func() { _ = client.Close() })
	defer stop()
	session, err := client.NewSession()
	if err != nil {
		return 0, err
	}
	defer session.Close()
	session.Stdin, session.Stdout, session.Stderr = streams.In, streams.Out, streams.Err
	var words []string
	for _, word := range argv {
		words = append(words, "'"+strings.ReplaceAll(word, "'", `'\''`)+"'")
	}
	err = session.Run("PATH=" + searchPath + " exec " + strings.Join(words, " "))
	if exit := new(ssh.ExitError); errors.As(err, &exit) {
		if exit.Signal() != "" {
			return 128 + 1, ctx.Err()
		}
		return exit.ExitStatus(), nil
	}
	return 0, errors.Join(ctx.Err(), err)
}

// login is root's, by the lab's key; the host has to have the key that the lab gave it.
func (l *Lab) login(ctx context.Context, h *hostRecord) (*ssh.Client, error) {
	if !h.process().alive() {
		return nil, ErrDown
	}
	pair, err := l.hostKey(h)
	if err != nil {
		return nil, err
	}
	hostKey, _, _, _, err := ssh.ParseAuthorizedKey([]byte(pair.public))
	if err != nil {
		return nil, err
	}
	private, err := os.ReadFile(l.IdentityFile())
	if err != nil {
		return nil, err
	}
	signer, err := ssh.ParsePrivateKey(private)
	if err != nil {
		return nil, err
	}
	address := netip.AddrPortFrom(h.Address, 22).String()
	conn, err := l.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	c, channels, requests, err := ssh.NewClientConn(conn, address, &ssh.ClientConfig{
		User: "root", Auth: []ssh.AuthMethod{ssh.PublicKeys(signer)}, HostKeyCallback: ssh.FixedHostKey(hostKey),
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("log in: %w", err), conn.Close())
	}
	return ssh.NewClient(c, channels, requests), nil
}
