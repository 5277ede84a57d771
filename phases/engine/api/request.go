package api

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
)

// answer is what the API server gave for one request.
type answer struct {
	body   []byte
	status int
}

// request is one request to the API server.
type request struct {
	verb   string
	path   string
	params map[string]string
	patch  types.PatchType // of a PATCH
	body   []byte
}

// send sends a request once.
func (c *Client) send(ctx context.Context, r request) (answer, error) {
	call := c.rest.Verb(r.verb).AbsPath(r.path)
	for name, value := range r.params {
		call = call.Param(name, value)
	}
	if r.body != nil {
		call = call.Body(r.body)
		if r.patch != "" {
			call = call.SetHeader("Content-Type", string(r.patch))
		} else {
			call = call.SetHeader("Content-Type", "application/json")
		}
	}
	return answerOf(ctx, call)
}

// answerOf makes a call once.
func answerOf(ctx context.Context, call *rest.Request) (answer, error) {
	var got answer
	result := call.MaxRetries(0).Do(ctx).StatusCode(&got.status)
	body, err := result.Raw()
	if err != nil {
		// Raw leaves the answer's text unread; Error decodes the server's own word.
		if err = result.Error(); !answered(err) {
			err = &transportError{err}
		}
		return got, err
	}
	got.body = body
	return got, nil
}

func (c *Client) get(ctx context.Context, path string) ([]byte, error) {
	got, err := c.send(ctx, request{verb: http.MethodGet, path: path})
	return got.body, err
}

// once tries something once, bounded, after making sure that there is a connection, and
// lets another control plane have the next try where this one is to blame.
func (c *Client) once(ctx context.Context, bound time.Duration, try func(context.Context) error) error {
	within, cancel := context.WithTimeout(ctx, bound)
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
	ctx, cancel := context.WithTimeout(ctx, c.pace.patience)
	defer cancel()
	began := time.Now()
	told := ""
	var seen error // what the last try that had its time ended with
	for {
		err := c.once(ctx, c.pace.try, try)
		switch {
		case err == nil:
			return nil
		case outage(err), apierrors.IsConflict(err):
		case settling(err) && time.Since(began) < c.pace.settling:
		default:
			return err
		}
		if note := "waiting: " + brief(err); progress != nil && note != told {
			told = note
			progress(hosts.Progress{Note: note})
		}
		interval := c.pace.retry
		if !answered(err) {
			interval = c.pace.away
		}
		if ctx.Err() == nil || seen == nil {
			seen = err
		}
		switch waited := pause(ctx, interval); {
		case errors.Is(waited, context.DeadlineExceeded):
			return fmt.Errorf("not within %s; last seen: %w", time.Since(began).Round(time.Second), seen)
		case waited != nil:
			return fmt.Errorf("%w; last: %w", waited, seen)
		}
	}
}

// pause waits, or answers why not.
func pause(ctx context.Context, length time.Duration) error {
	timer := time.NewTimer(length)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// transportError is a request that got no answer from an API server.
type transportError struct{ err error }

func (e *transportError) Error() string { return e.err.Error() }
func (e *transportError) Unwrap() error { return e.err }

// answered tells whether an error is an API server's own answer.
func answered(err error) bool {
	status := apierrors.APIStatus(nil)
	return errors.As(err, &status)
}

// passing is what an API server says of a trouble behind it that may pass. It gives the
// same code, 500, to some objects that are not valid.
var passing = regexp.MustCompile(`etcdserver: |connection (refused|reset)|deadline exceeded|timed? ?out|` +
	`storage is \(re\)initializing|failed calling webhook|no endpoints available|not (yet )?ready|unexpected EOF`)

// outage tells whether an error is one of the way to the API server, or of the server as
// a whole: another control plane, or a later try, may do.
func outage(err error) bool {
	if answered(err) {
		return apierrors.IsServiceUnavailable(err) || apierrors.IsServerTimeout(err) || apierrors.IsTimeout(err) ||
			apierrors.IsTooManyRequests(err) || passing.MatchString(err.Error())
	}
	var transport *transportError
	return errors.As(err, &transport) && !distrusted(err) && !errors.Is(err, errNoHost)
}

// distrusted tells whether one side refused the other's certificate.
func distrusted(err error) bool {
	var verification *tls.CertificateVerificationError
	var unknown x509.UnknownAuthorityError
	var name x509.HostnameError
	var invalid x509.CertificateInvalidError
	var alert tls.AlertError
	return errors.As(err, &verification) || errors.As(err, &unknown) || errors.As(err, &name) ||
		errors.As(err, &invalid) || errors.As(err, &alert)
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
