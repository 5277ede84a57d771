package api

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
)

// probe is where a component tells its health on its host's loopback.
type probe struct {
	component string
	address   string
	url       string
}

const componentEtcd = "etcd"

// probes are the components' own ports, where kubeadm's manifests put them.
var probes = []probe{
	{componentEtcd, "127.0.0.1:2381", "http://localhost/readyz"},
	{"kube-controller-manager", "127.0.0.1:10257", "https://localhost/healthz"},
	{"kube-scheduler", "127.0.0.1:10259", "https://localhost/readyz"},
	{"kubelet", "127.0.0.1:10248", "http://localhost/healthz"},
}

// componentAPIServer is what Health calls the API server.
const componentAPIServer = "kube-apiserver"

// Health asks every component of every connected control plane how it is, all at once.
// The answers are sorted by host and component.
func (c *Client) Health(ctx context.Context) []hosts.Health {
	var mu sync.Mutex
	var group sync.WaitGroup
	var found []hosts.Health
	add := func(one hosts.Health) {
		mu.Lock()
		defer mu.Unlock()
		found = append(found, one)
	}
	for name, host := range c.hosts {
		group.Go(func() { add(c.apiHealth(ctx, name)) })
		for _, p := range probes {
			if p.component == componentEtcd && c.etcd != nil && len(c.etcd.external) > 0 {
				continue // no control plane runs one
			}
			group.Go(func() { add(p.ask(ctx, c.pace.health, name, host)) })
		}
	}
	group.Wait()
	slices.SortFunc(found, func(a, b hosts.Health) int {
		return strings.Compare(a.Host+"\x00"+a.Component, b.Host+"\x00"+b.Component)
	})
	return found
}

func (c *Client) apiHealth(ctx context.Context, name string) hosts.Health {
	health := hosts.Health{Host: name, Component: componentAPIServer}
	one, err := c.only(name)
	if err == nil {
		health.Healthy, health.Detail, err = one.ask(ctx, c.pace.health, "/readyz")
	}
	switch {
	case err != nil:
		health.Detail = brief(err)
	case health.Healthy:
		health.Detail = ""
	}
	return health
}

// ask gets a component's health through its host.
func (p probe) ask(ctx context.Context, bound time.Duration, name string, host hosts.Host) hosts.Health {
	health := hosts.Health{Host: name, Component: p.component}
	ctx, cancel := context.WithTimeout(ctx, bound)
	defer cancel()
	transport := &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return host.Dial(ctx, "tcp", p.address)
		},
		TLSClientConfig:   ownCertificate,
		DisableKeepAlives: true,
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url, nil)
	if err != nil {
		health.Detail = err.Error()
		return health
	}
	began := time.Now()
	response, err := transport.RoundTrip(request)
	if err != nil {
		health.Detail = brief(orSilence(err, p.component+" at "+p.address, began))
		return health
	}
	defer response.Body.Close()
	body, _ := io.ReadAll(io.LimitReader(response.Body, 64<<10))
	health.Healthy = response.StatusCode == http.StatusOK
	if !health.Healthy {
		health.Detail = failedChecks(response.Status, string(body))
	}
	return health
}

// ownCertificate accepts what a component presents on its host's loopback: a certificate
// that it made itself. Nothing is sent there that would need a better one.
var ownCertificate = &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12} //nolint:gosec // see above
