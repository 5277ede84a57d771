package ssh_test

import (
	"math/rand/v2"
	"testing"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/hosts/hosttest"
	"github.com/slipway-k8s/slipway/hosts/ssh"
)

// BenchmarkUpload is the throughput of both ways that a large blob may go, to a host in this process.
func BenchmarkUpload(b *testing.B) {
	const size = 64 << 20
	for name, login := range map[string]hosttest.Login{"SFTP": {}, "agent": {NoSFTP: true}} {
		b.Run(name, func(b *testing.B) {
			server := hosttest.NewServer(b, hosttest.NewFake("cp-1"))
			server.SetLogin(login)
			host, err := ssh.Connect(b.Context(), options(server))
			if err != nil {
				b.Fatal(err)
			}
			defer host.Close()
			content, source := make([]byte, size), rand.NewChaCha8([32]byte{7})
			b.SetBytes(size)
			for b.Loop() {
				b.StopTimer()
				_, _ = source.Read(content) // another blob
				blob := hosttest.Content(content)
				b.StartTimer()
				if err := host.Upload(b.Context(), []hosts.Blob{blob}, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
