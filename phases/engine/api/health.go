package api

import (
	"context"
	"crypto/tls"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
)

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
		for component, url := range c.health[name] {
			group.Go(func() { add(askHealth(ctx, c.pace.health, host, hosts.Health{Host: name, Component: component}, url)) })
		}
	}
	group.Wait()
	slices.SortFunc(found, func(a, b hosts.Health) int {
		return strings.Compare(a.Host+"\x00"+a.Component, b.Host+"\x00"+b.Component)
	})
	return found
}

func (c *Client) apiHealth(ctx context.Context, name string) hosts.Health {
	health := hosts.Health{Host: name, Component: hosts.ComponentAPIServer}
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

// askHealth gets a component's health, where it serves it, through its host.
func askHealth(ctx context.Context, bound time.Duration, host hosts.Host, health hosts.Health, url string) hosts.Health {
	ctx, cancel := context.WithTimeout(ctx, bound)
	defer cancel()
	transport := &http.Transport{DialContext: host.Dial, TLSClientConfig: ownCertificate, DisableKeepAlives: true}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		health.Detail = err.Error()
		return health
	}
	began := time.Now()
	response, err := transport.RoundTrip(request)
	if err != nil {
		health.Detail = brief(orSilence(err, health.Component+" at "+request.URL.Host, began))
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

// ownCertificate accepts what a component presents on its own host: a certificate
// that it made itself. Nothing is sent there that would need a better one.
var ownCertificate = &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12} //nolint:gosec // see above
