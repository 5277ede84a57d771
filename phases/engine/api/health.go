package api

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
	"k8s.io/apimachinery/pkg/version"
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
	for name := range c.hosts {
		group.Go(func() { add(c.apiHealth(ctx, name)) })
		for component, address := range c.health[name] {
			group.Go(func() { add(c.componentHealth(ctx, hosts.Health{Host: name, Component: component}, address)) })
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
	var err error
	if health.Healthy, health.Detail, err = c.readyz(ctx, name); err != nil {
		health.Detail = brief(err)
	}
	return health
}

// readyz asks one API server whether it is ready.
func (c *Client) readyz(ctx context.Context, host string) (ready bool, seen string, err error) {
	one, err := c.only(host)
	if err != nil {
		return false, "", err
	}
	return one.health(ctx, c.pace.health, "/readyz")
}

// health gets a health endpoint of one API server. Where it does not answer, its connections
// end: the next question makes a new one.
func (s *single) health(ctx context.Context, bound time.Duration, path string) (healthy bool, seen string, err error) {
	ctx, cancel := context.WithTimeout(ctx, bound)
	defer cancel()
	healthy, seen, err = askHealth(ctx, s.transport, s.url+path, s.dialer.preferred())
	if err != nil {
		_, turn := s.dialer.state()
		s.dialer.turn(turn)
	}
	return healthy, seen, err
}

// componentHealth gets a component's health, where it serves it, through its host.
func (c *Client) componentHealth(ctx context.Context, health hosts.Health, address string) hosts.Health {
	who := health.Component
	if parsed, err := url.Parse(address); err == nil {
		who += " at " + parsed.Host
	}
	transport := &http.Transport{DialContext: c.hosts[health.Host].Dial, TLSClientConfig: ownCertificate, DisableKeepAlives: true}
	ctx, cancel := context.WithTimeout(ctx, c.pace.health)
	defer cancel()
	var err error
	if health.Healthy, health.Detail, err = askHealth(ctx, transport, address, who); err != nil {
		health.Detail = brief(err)
	}
	return health
}

// ownCertificate accepts what a component presents on its own host: a certificate
// that it made itself. Nothing is sent there that would need a better one.
var ownCertificate = &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12} //nolint:gosec // see above

// askHealth gets a health endpoint: whether it is well and, where not, what it says.
func askHealth(ctx context.Context, transport http.RoundTripper, address, who string) (healthy bool, seen string, err error) {
	response, err := fetch(ctx, transport, address, who)
	if err != nil {
		return false, "", err
	}
	defer response.Body.Close()
	if response.StatusCode == http.StatusOK {
		return true, "", nil
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, mostTold))
	if err != nil {
		return false, "", err
	}
	return false, failedChecks(response.Status, string(body)), nil
}

// mostTold is how much of an answer that is for people is read, in bytes.
const mostTold = 64 << 10

// fetch gets what one server answers.
func fetch(ctx context.Context, transport http.RoundTripper, address, who string) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	began := time.Now()
	response, err := transport.RoundTrip(request)
	return response, orSilence(err, who, began)
}

// version is the Kubernetes version that one API server serves.
func (s *single) version(ctx context.Context, bound time.Duration) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, bound)
	defer cancel()
	response, err := fetch(ctx, s.transport, s.url+"/version", s.dialer.preferred())
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	var served version.Info
	err = json.NewDecoder(io.LimitReader(response.Body, mostTold)).Decode(&served)
	return served.GitVersion, err
}

// failedChecks lists the checks that a health endpoint's answer marks as failed.
func failedChecks(status, body string) string {
	var failed []string
	for line := range strings.Lines(body) {
		if check, found := strings.CutPrefix(strings.TrimSpace(line), "[-]"); found {
			name, _, _ := strings.Cut(check, " ")
			failed = append(failed, name)
		}
	}
	if len(failed) > 0 {
		return "not ready: " + strings.Join(failed, ", ")
	}
	return status
}
