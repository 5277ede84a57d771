package api

import (
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
)

// observeAtOnce bounds the requests that an observation has in flight.
const observeAtOnce = 64

// request is one request to the API server.
type request struct {
	verb   string
	path   string
	params map[string]string
	accept string          // what the answer is to be; JSON unless said
	patch  types.PatchType // of a PATCH
	body   []byte
}

// send sends a request once.
func (c *Client) send(ctx context.Context, r request) ([]byte, error) {
	call := c.typed.CoreV1().RESTClient().Verb(r.verb).AbsPath(r.path).MaxRetries(0)
	for name, value := range r.params {
		call = call.Param(name, value)
	}
	if r.accept != "" {
		call = call.SetHeader("Accept", r.accept)
	}
	if r.body != nil {
		call = call.Body(r.body).SetHeader("Content-Type", cmp.Or(string(r.patch), runtime.ContentTypeJSON))
	}
	result := call.Do(ctx)
	body, err := result.Raw()
	if err != nil {
		return nil, result.Error() // Raw leaves the answer's text unread; Error decodes what the server says
	}
	return body, nil
}

func (c *Client) get(ctx context.Context, path string) ([]byte, error) {
	return c.send(ctx, request{verb: http.MethodGet, path: path})
}

// read gets a path and decodes its JSON.
func (c *Client) read(ctx context.Context, path string, into any) error {
	body, err := c.get(ctx, path)
	switch {
	case err != nil:
	case partsOf(body) > mostParts:
		err = fmt.Errorf("the object has more than %d parts", mostParts)
	default:
		err = json.Unmarshal(body, into)
	}
	if err != nil {
		return fmt.Errorf("get %s: %w", path, err)
	}
	return nil
}

// once tries something once, bounded, after making sure that there is a connection, and
// lets another control plane have the next try where this one is to blame.
func (c *Client) once(ctx context.Context, bound time.Duration, try func(context.Context) error) error {
	within, cancel := withinReach(ctx, bound, c.dialer.roundTrip)
	defer cancel()
	began := time.Now()
	_, turn := c.dialer.state()
	err := c.warm(within)
	who := c.dialer.preferred() // the one that was connected to
	if err == nil {
		err = try(within)
	}
	if ctx.Err() == nil && !answered(err) {
		err = orSilence(err, who, began)
	}
	if ctx.Err() == nil && outage(err) && (!answered(err) || c.dialer.choices() > 1) {
		c.dialer.turn(turn)
	}
	return err
}

// warm makes the first connection alone: requests that start together would each make
// one of their own, where HTTP/2 needs one for all. It fails only where none can be made.
func (c *Client) warm(ctx context.Context) error {
	if open, _ := c.dialer.state(); open > 0 {
		return nil
	}
	select {
	case c.warming <- struct{}{}:
		defer func() { <-c.warming }()
	case <-ctx.Done():
		return &transportError{context.Cause(ctx)}
	}
	if open, _ := c.dialer.state(); open > 0 {
		return nil
	}
	if _, err := c.get(ctx, "/version"); err != nil && !answered(err) {
		return err
	}
	return nil
}

// persist tries until it works, the error is one that time does not mend, or patience
// or the context ends.
func (c *Client) persist(ctx context.Context, progress func(hosts.Progress), try func(context.Context) error) error {
	began := time.Now()
	var seen error // what the last try that had its time ended with
	err := repeat(ctx, c.pace.patience, progress, func(ctx context.Context) (retry, error) {
		err := c.once(ctx, c.pace.try, try)
		if ctx.Err() == nil || seen == nil {
			seen = err
		}
		switch {
		case err == nil:
			return retry{}, nil
		case outage(err), apierrors.IsConflict(err), errors.As(err, new(*heldError)):
		case settling(err) && time.Since(began) < c.pace.settling:
		default:
			return retry{}, err
		}
		next := retry{c.pace.retry, "waiting: " + brief(err)}
		if !answered(err) {
			next.after = c.pace.away
		}
		return next, nil
	})
	switch {
	case errors.Is(err, errTimeUp):
		return fmt.Errorf("not within %s; last seen: %w", time.Since(began).Round(time.Second), seen)
	case err != nil && ctx.Err() != nil:
		return fmt.Errorf("%w; last: %w", err, seen)
	}
	return err
}

// heldError is an address that is taken in the Service's own name, or in nobody's: a try that was cut off is
// still at work, or the API server has not yet seen that it was freed. A later try may do.
type heldError struct{ error }

func (e *heldError) Unwrap() error { return e.error }

// answered tells whether an error is an API server's own answer.
func answered(err error) bool {
	status := apierrors.APIStatus(nil)
	return errors.As(err, &status)
}

// passing is what an API server says of a trouble behind it that may pass. It gives the
// same code, 500, to some objects that are not valid.
var passing = regexp.MustCompile(`etcdserver: |connection (refused|reset)|deadline exceeded|timed? ?out|` +
	`storage is \(re\)initializing|failed calling webhook|no endpoints available|not (yet )?ready|unexpected EOF`)

// outage tells whether no API server was reached, or one is out of order as a whole: another
// control plane, or a later try, may do.
func outage(err error) bool {
	if answered(err) {
		return apierrors.IsServiceUnavailable(err) || apierrors.IsServerTimeout(err) || apierrors.IsTimeout(err) ||
			apierrors.IsTooManyRequests(err) || passing.MatchString(err.Error())
	}
	var transport *transportError
	lost := errors.As(err, &transport) || errors.Is(err, context.DeadlineExceeded)
	return lost && !distrusted(err) && !errors.Is(err, errNoHost)
}

// distrusted tells whether one side refused the other's certificate.
func distrusted(err error) bool {
	var verification *tls.CertificateVerificationError
	var alert tls.AlertError
	return errors.As(err, &verification) || errors.As(err, &alert)
}

// settling tells whether an error is one that a cluster gives while it comes up: the
// RBAC's own objects, a namespace or a kind are not there yet.
func settling(err error) bool {
	return apierrors.IsForbidden(err) || apierrors.IsNotFound(err)
}

// brief is an error in one line, without the address that every request repeats.
func brief(err error) string {
	text := err.Error()
	if _, after, found := strings.Cut(text, `"https://`); found {
		if _, rest, found := strings.Cut(after, `": `); found {
			text = rest
		}
	}
	return strings.ReplaceAll(plainly(text), "\n", "; ")
}
