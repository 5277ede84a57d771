package hosttest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"

	"github.com/slipway-k8s/slipway/hosts"
)

// Upload takes blobs into the machine's store, secret ones into this Host's memory.
func (o *opened) Upload(ctx context.Context, blobs []hosts.Blob, progress func(hosts.Progress)) error {
	if err := o.enter("upload"); err != nil {
		return err
	}
	defer o.calls.Done()
	var lacking []hosts.Blob
	sum := hosts.Progress{}
	for _, blob := range blobs {
		if !o.has(blob.Ref) {
			lacking = append(lacking, blob)
			sum.Total += blob.Size
		}
	}
	for _, blob := range lacking {
		if err := o.take(ctx, blob); err != nil {
			return failure("upload "+blob.Ref, err)
		}
		sum.Done += blob.Size
		if progress != nil {
			progress(sum)
		}
	}
	return nil
}

func (o *opened) take(ctx context.Context, blob hosts.Blob) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	in, err := blob.Open()
	if err != nil {
		return err
	}
	defer in.Close()
	content, err := io.ReadAll(in)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(content)
	if hex.EncodeToString(sum[:]) != blob.SHA256 || int64(len(content)) != blob.Size {
		return errors.New("the content does not match its digest")
	}
	if blob.Secret != strings.HasPrefix(blob.Ref, "secret:") {
		return fmt.Errorf("the ref does not tell whether it is secret")
	}
	o.machine.mutex.Lock()
	defer o.machine.mutex.Unlock()
	if blob.Secret {
		o.secrets[blob.Ref] = content
	} else {
		o.machine.store[blob.Ref] = content
	}
	return nil
}

func (o *opened) has(ref string) bool {
	o.machine.mutex.Lock()
	defer o.machine.mutex.Unlock()
	_, err := o.blob(ref)
	return err == nil
}

// Has lists those of the refs that need not be sent.
func (o *opened) Has(_ context.Context, refs []string) ([]string, error) {
	if err := o.enter("look into the store"); err != nil {
		return nil, err
	}
	defer o.calls.Done()
	var found []string
	for _, ref := range refs {
		if o.has(ref) {
			found = append(found, ref)
		}
	}
	return found, nil
}

// Stored lists the refs in the machine's store.
func (f *Fake) Stored() []string {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	var refs []string
	for ref := range f.store {
		refs = append(refs, ref)
	}
	return refs
}

// listener is a service of a Fake: on a real socket of this machine's loopback.
type listener struct {
	net.Listener
	address string
}

// Serve has the machine listen at an address of its own: each connection that a Host
// dials is given to handle, and closed after it. stop ends it.
func (f *Fake) Serve(network, address string, handle func(net.Conn)) (stop func(), err error) {
	socket, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("serve %s on the fake machine: %w", address, err)
	}
	key := network + " " + address
	f.mutex.Lock()
	f.listeners[key] = &listener{Listener: socket, address: address}
	f.mutex.Unlock()
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := socket.Accept()
			if err != nil {
				return
			}
			serving.Go(func() {
				defer conn.Close()
				handle(conn)
			})
		}
	})
	return func() {
		f.mutex.Lock()
		delete(f.listeners, key)
		f.mutex.Unlock()
		_ = socket.Close()
		serving.Wait()
	}, nil
}

// Echo is for Serve: it reads all, then writes it back.
func Echo(conn net.Conn) {
	all, err := io.ReadAll(conn)
	if err == nil {
		_, _ = conn.Write(all) // what is lost shows where it is read
	}
}

// listening tells who listens on a TCP port.
func (f *Fake) listening(port int) string {
	for _, l := range f.listeners {
		if strings.HasSuffix(l.address, fmt.Sprintf(":%d", port)) {
			return "fake (pid 1)"
		}
	}
	return ""
}
