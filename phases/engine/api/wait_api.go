package api

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/plan"
	"k8s.io/client-go/rest"
)

// waitAPI waits until the API server on one host, and no other, says that it is ready or,
// where that is enough, takes requests.
func (c *Client) waitAPI(ctx context.Context, action plan.WaitAPI, progress func(hosts.Progress)) (hosts.Outcome, error) {
	what, path := "the API server on "+action.Host+" to be ready", "/readyz"
	if action.Serving {
		what, path = "the API server on "+action.Host+" to take requests", "/readyz/ping"
	}
	one, err := c.only(action.Host)
	if err != nil {
		return hosts.Outcome{}, fmt.Errorf("wait for %s: %w", what, err)
	}
	return c.poll(ctx, what, action.Timeout, progress, func(ctx context.Context) (verdict, error) {
		healthy, seen, err := one.health(ctx, c.pace.health, path)
		if disconnected(err) {
			return verdict{}, err
		}
		if err != nil {
			return verdict{seen: brief(err), next: c.pace.away}, nil
		}
		if healthy && action.Version != "" {
			served, err := one.version(ctx, c.pace.health)
			if err != nil {
				return verdict{seen: brief(err), next: c.pace.slow}, nil
			}
			healthy, seen = served == action.Version, "it serves "+served
		}
		return verdict{done: healthy, seen: seen, next: c.pace.slow}, nil
	})
}

// waitEndpoint waits until the API answers at the endpoint as seen from one host, each time
// over a connection of its own.
func (c *Client) waitEndpoint(ctx context.Context, action plan.WaitEndpoint, progress func(hosts.Progress)) (hosts.Outcome, error) {
	what := fmt.Sprintf("the API at %s as seen from %s", action.Address, action.Host)
	from := c.all[action.Host]
	if from == nil {
		return hosts.Outcome{}, fmt.Errorf("wait for %s: the host is not connected", what)
	}
	config, err := rest.TLSConfigFor(c.config)
	if err != nil {
		return hosts.Outcome{}, fmt.Errorf("wait for %s: %w", what, err)
	}
	bound := c.pace.endpoint
	return c.poll(ctx, what, action.Timeout, progress, func(ctx context.Context) (verdict, error) {
		began := time.Now()
		ready, seen, err := readyAt(ctx, from, action.Address, config, bound)
		if disconnected(err) || distrusted(err) {
			return verdict{}, err
		}
		if err != nil && time.Since(began) >= bound {
			// An address that nobody has gives no answer, nor does a distant host that was not given the
			// time for one: of several round trips a look is made.
			bound = min(2*bound, c.pace.health)
		}
		if err != nil {
			seen = brief(err)
		}
		return verdict{done: ready, seen: seen}, nil
	})
}

// readyAt asks for /readyz at an address as seen from a host.
func readyAt(ctx context.Context, from hosts.Host, address string, config *tls.Config, bound time.Duration) (ready bool, seen string, err error) {
	within, cancel := context.WithTimeout(ctx, bound)
	defer cancel()
	// Transport would let a dial go on after its request has ended, in case another can use
	// the connection; here every try is one of its own.
	transport := &http.Transport{
		DialContext: func(context.Context, string, string) (net.Conn, error) {
			return from.Dial(within, "tcp", address)
		},
		TLSClientConfig:   config,
		DisableKeepAlives: true,
	}
	ready, seen, err = askHealth(within, transport, "https://"+config.ServerName+"/readyz", address)
	switch {
	case err != nil && ctx.Err() == nil && within.Err() != nil && !disconnected(err):
		err = fmt.Errorf("no answer within %s", bound)
	case errors.Is(err, io.EOF):
		err = errors.New("the connection is closed at once: no API server is behind it yet")
	}
	return ready, seen, err
}
