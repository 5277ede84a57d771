package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
)

// GapOptions say where a Gap writes.
type GapOptions struct {
	// Host is the connected host that the writer stands on; Address is the API's endpoint,
	// host:port, as seen from there.
	Host, Address string
	// Namespace has the writer's object: kube-system unless said.
	Namespace string
}

// Gap measures for how long the API does not answer at its endpoint: a writer that changes
// one object again and again, as an ordinary client of client-go does, over one connection
// for as long as that lasts. It keeps account of every write that was acknowledged.
type Gap struct {
	client *Client
	key    hosts.ObjectKey
	path   string
	rest   *rest.RESTClient
	http   *http.Client
	dialer *dialer
	pace   gapPace

	version string // of the object, as the writer last saw it
	end     context.CancelFunc
	group   sync.WaitGroup

	mu      sync.Mutex
	report  GapReport
	last    time.Time // when a write was last acknowledged
	failure string    // what the first failure since then said
	news    chan struct{}
	broken  error
}

// gapPace is how the writer writes.
type gapPace struct {
	every time.Duration // from one write's beginning to the next one's
	bound time.Duration // of one request
	start time.Duration // within which the endpoint must take the first write
}

var usualGapPace = gapPace{every: 20 * time.Millisecond, bound: time.Second, start: 15 * time.Second}

// GapReport is what a Gap has measured.
type GapReport struct {
	Writes      int64        `json:"writes"` // acknowledged: the object's counter
	Failures    int64        `json:"failures"`
	Held        int64        `json:"held"` // what the object held at the end
	Connections int64        `json:"connections"`
	Sections    []GapSection `json:"sections"`
}

// GapSection is what was measured from one Mark to the next.
type GapSection struct {
	Name     string        `json:"name"`
	Began    time.Time     `json:"began"`
	Writes   int64         `json:"writes"`
	Failures int64         `json:"failures"`
	Longest  time.Duration `json:"longest"` // from the last success before to the first after
	At       time.Time     `json:"at"`      // when the longest gap began
	Cause    string        `json:"cause,omitempty"`
}

// LostWriteError is a write that was acknowledged and is not there.
type LostWriteError struct {
	Object             hosts.ObjectKey
	Acknowledged, Held int64
}

func (e *LostWriteError) Error() string {
	return fmt.Sprintf("a write is lost: %s holds %d, and %d had been acknowledged", e.Object, e.Held, e.Acknowledged)
}

// gapObject is the writer's object, and gapKey where it counts.
const (
	gapObject = "slipway-ha-test"
	gapKey    = "writes"
)

// Gap makes a writer that goes through the endpoint. It begins with Start.
func (c *Client) Gap(options GapOptions) (*Gap, error) {
	if options.Namespace == "" {
		options.Namespace = metav1.NamespaceSystem
	}
	if c.all[options.Host] == nil {
		return nil, fmt.Errorf("write through %s: %s is not connected", options.Address, options.Host)
	}
	g := &Gap{
		client: c, pace: usualGapPace, news: make(chan struct{}),
		key:    hosts.ObjectKey{APIVersion: "v1", Kind: "ConfigMap", Namespace: options.Namespace, Name: gapObject},
		path:   "/api/v1/namespaces/" + options.Namespace + "/configmaps/" + gapObject,
		dialer: newDialer("the endpoint from", c.all, map[string]string{options.Host: options.Address}, []string{options.Host}),
	}
	config := rest.CopyConfig(c.config)
	config.Dial = g.dial
	var err error
	if g.http, err = rest.HTTPClientFor(config); err == nil {
		g.rest, err = rest.UnversionedRESTClientForConfigAndClient(config, g.http)
	}
	if err != nil {
		return nil, fmt.Errorf("write through %s: %w", options.Address, err)
	}
	return g, nil
}

func (g *Gap) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := g.dialer.DialContext(ctx, network, address)
	if err == nil {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.report.Connections++
	}
	return conn, err
}

// Start makes the object anew, and writes from then on until Stop, or until the context
// ends. It fails where the endpoint does not take the first write soon.
func (g *Gap) Start(ctx context.Context) error {
	if err := g.make(ctx); err != nil {
		return fmt.Errorf("make %s: %w", g.key, err)
	}
	within, cancel := context.WithTimeout(ctx, g.pace.start)
	defer cancel()
	var why error
	for {
		err := g.write(within)
		if err == nil {
			break
		}
		if within.Err() == nil || why == nil {
			why = err
		}
		if pause(within, g.pace.every) != nil {
			_, _ = g.client.delete(ctx, g.key, nil)
			g.close()
			return fmt.Errorf("write %s through the endpoint: %w", g.key, why)
		}
	}
	writing, end := context.WithCancel(ctx)
	g.end = end
	g.group.Go(func() { g.run(writing) })
	return nil
}

// make puts an object in the place of the one that an earlier writer may have left.
func (g *Gap) make(ctx context.Context) error {
	if _, err := g.client.delete(ctx, g.key, nil); err != nil {
		return err
	}
	body, err := g.body(0)
	if err != nil {
		return err
	}
	return g.client.persist(ctx, nil, func(ctx context.Context) error {
		got, err := g.client.send(ctx, request{
			verb: http.MethodPost, path: "/api/v1/namespaces/" + g.key.Namespace + "/configmaps", body: body,
			params: map[string]string{"fieldManager": FieldManager},
		})
		if apierrors.IsAlreadyExists(err) { // an earlier try that got no answer
			var live json.RawMessage
			live, err = g.client.object(ctx, g.key)
			got.body = live
		}
		g.version = versionOf(got.body)
		return err
	})
}

// body is the object with a count, for the version that the writer last saw: a write that
// was given up and comes late is then refused, and cannot undo a later one.
func (g *Gap) body(count int64) ([]byte, error) {
	return json.Marshal(corev1.ConfigMap{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"},
		ObjectMeta: metav1.ObjectMeta{
			Namespace: g.key.Namespace, Name: g.key.Name, ResourceVersion: g.version,
			Labels: map[string]string{"app.kubernetes.io/managed-by": FieldManager},
		},
		Data: map[string]string{gapKey: strconv.FormatInt(count, 10)},
	})
}

// run writes until the context ends or the object is no longer the writer's own.
func (g *Gap) run(ctx context.Context) {
	ticker := time.NewTicker(g.pace.every)
	defer ticker.Stop()
	for ctx.Err() == nil {
		if err := g.write(ctx); err != nil && ctx.Err() == nil && g.isBroken(err) {
			return
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
		}
	}
}

func (g *Gap) isBroken(err error) bool {
	var lost *LostWriteError
	if !errors.As(err, &lost) && !apierrors.IsNotFound(err) {
		return false
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.broken = err
	g.tell()
	return true
}

// write counts one up. Where the object has another version than the writer knows, a write
// that got no answer had come through: the writer reads what is there and counts on.
func (g *Gap) write(ctx context.Context) error {
	within, cancel := context.WithTimeout(ctx, g.pace.bound)
	defer cancel()
	g.mu.Lock()
	next := g.report.Writes + 1
	g.mu.Unlock()
	body, err := g.body(next)
	if err != nil {
		return err
	}
	got, err := answerOf(within, g.rest.Put().AbsPath(g.path).Param("fieldManager", FieldManager).
		SetHeader("Content-Type", "application/json").Body(body))
	if apierrors.IsConflict(err) {
		if err = g.reread(within); err == nil {
			return errStale
		}
	}
	if err != nil {
		g.failed(ctx, err)
		return err
	}
	g.version = versionOf(got.body)
	g.acknowledged()
	return nil
}

// errStale is a write that was made for an older version of the object than there is.
var errStale = errors.New("the object has been written meanwhile")

// reread learns the object's version, and that all that was acknowledged is in it.
func (g *Gap) reread(ctx context.Context) error {
	live, err := answerOf(ctx, g.rest.Get().AbsPath(g.path))
	if err != nil {
		return err
	}
	g.version = versionOf(live.body)
	return g.check(live.body)
}

func (g *Gap) check(live []byte) error {
	var object corev1.ConfigMap
	if err := json.Unmarshal(live, &object); err != nil {
		return err
	}
	held, err := strconv.ParseInt(object.Data[gapKey], 10, 64)
	if err != nil {
		return fmt.Errorf("%s has no count: %w", g.key, err)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.report.Held = held
	if held < g.report.Writes {
		return &LostWriteError{Object: g.key, Acknowledged: g.report.Writes, Held: held}
	}
	return nil
}
