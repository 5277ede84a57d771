package api

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/plan"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	core "k8s.io/client-go/kubernetes/typed/core/v1"
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
	core   core.CoreV1Interface // through the endpoint
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
	Writes      int64 // acknowledged: the object's counter
	Failures    int64
	Held        int64 // what the object held at the end
	Connections int64
	Longest     time.Duration // the longest gap: from the last success before to the first after
	At          time.Time     // when that began
	Cause       string        // what the client was told during it
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
		dialer: newDialer(newWay("the endpoint from", options.Host, c.all[options.Host], options.Address)),
	}
	config := rest.CopyConfig(c.config)
	config.Dial = g.dial
	var err error
	if g.core, err = core.NewForConfig(config); err != nil {
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
	var why error
	err := repeat(ctx, g.pace.start, nil, func(ctx context.Context) (retry, error) {
		err := g.write(ctx)
		if err == nil {
			return retry{}, nil
		}
		if ctx.Err() == nil || why == nil {
			why = err
		}
		return retry{after: g.pace.every}, nil
	})
	if err != nil {
		_, _ = g.client.delete(ctx, plan.Delete{Object: g.key}, nil)
		g.dialer.close()
		return fmt.Errorf("write %s through the endpoint: %w", g.key, why)
	}
	writing, end := context.WithCancel(ctx)
	g.end = end
	g.group.Go(func() { g.run(writing) })
	return nil
}

// make puts an object in the place of the one that an earlier writer may have left.
func (g *Gap) make(ctx context.Context) error {
	if _, err := g.client.delete(ctx, plan.Delete{Object: g.key}, nil); err != nil {
		return err
	}
	maps := g.client.typed.CoreV1().ConfigMaps(g.key.Namespace)
	return g.client.persist(ctx, nil, func(ctx context.Context) error {
		made, err := maps.Create(ctx, g.object(0), metav1.CreateOptions{FieldManager: FieldManager})
		if apierrors.IsAlreadyExists(err) { // an earlier try that got no answer
			made, err = g.get(ctx, g.client.typed.CoreV1())
		}
		if err == nil {
			g.version = made.ResourceVersion
		}
		return err
	})
}

// object is the object with a count, for the version that the writer last saw: a write that
// was given up and comes late is then refused, and cannot undo a later one.
func (g *Gap) object(count int64) *corev1.ConfigMap {
	return &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: g.key.Namespace, Name: g.key.Name, ResourceVersion: g.version,
			Labels: map[string]string{"app.kubernetes.io/managed-by": FieldManager},
		},
		Data: map[string]string{gapKey: strconv.FormatInt(count, 10)},
	}
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
	written, err := g.core.ConfigMaps(g.key.Namespace).Update(within, g.object(next), metav1.UpdateOptions{FieldManager: FieldManager})
	if apierrors.IsConflict(err) {
		if err = g.reread(within); err == nil {
			return errStale
		}
	}
	if err != nil {
		g.failed(ctx, err)
		return err
	}
	g.version = written.ResourceVersion
	g.acknowledged()
	return nil
}

// errStale is a write that was made for an older version of the object than there is.
var errStale = errors.New("the object has been written meanwhile")

// get gets the object once: client-go's own tries of a GET wait a second between two.
func (g *Gap) get(ctx context.Context, from core.CoreV1Interface) (*corev1.ConfigMap, error) {
	live := new(corev1.ConfigMap)
	err := from.RESTClient().Get().Namespace(g.key.Namespace).Resource("configmaps").Name(g.key.Name).MaxRetries(0).Do(ctx).Into(live)
	return live, err
}

// reread learns the object's version, and that all that was acknowledged is in it.
func (g *Gap) reread(ctx context.Context) error {
	live, err := g.get(ctx, g.core)
	if err != nil {
		return err
	}
	g.version = live.ResourceVersion
	return g.check(live)
}

func (g *Gap) check(live *corev1.ConfigMap) error {
	held, err := strconv.ParseInt(live.Data[gapKey], 10, 64)
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

// acknowledged notes a write that has been answered, and the gap that it ends.
func (g *Gap) acknowledged() {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	if !g.last.IsZero() {
		g.gap(now)
	}
	g.report.Writes++
	g.last, g.failure = now, ""
	g.tell()
}

func (g *Gap) failed(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.report.Failures++
	switch {
	case g.failure != "":
	case errors.Is(err, context.DeadlineExceeded):
		g.failure = fmt.Sprintf("no answer within %s", g.pace.bound)
	default:
		g.failure = brief(err)
	}
}

// gap notes the time since the last success; the caller holds the lock.
func (g *Gap) gap(until time.Time) {
	if length := until.Sub(g.last); length > g.report.Longest {
		g.report.Longest, g.report.At, g.report.Cause = length, g.last, g.failure
	}
}

// tell wakes who waits for news; the caller holds the lock.
func (g *Gap) tell() {
	close(g.news)
	g.news = make(chan struct{})
}

// Await waits until a write that was begun after the call is acknowledged.
func (g *Gap) Await(ctx context.Context) error {
	for range 2 { // the first may have been under way
		g.mu.Lock()
		news, broken := g.news, g.broken
		g.mu.Unlock()
		if broken != nil {
			return broken
		}
		select {
		case <-news:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.broken
}

// Stop ends the writing, looks whether all that was acknowledged is there, and takes the
// object away. A gap that lasts still ends here.
func (g *Gap) Stop(ctx context.Context) (GapReport, error) {
	if g.end == nil {
		return GapReport{}, errors.New("stop a writer: it was not started")
	}
	g.end()
	g.group.Wait()
	g.dialer.close()
	if g.failure != "" {
		g.gap(time.Now())
	}
	err := g.broken
	if err == nil {
		err = g.verify(ctx)
	}
	if _, failed := g.client.delete(ctx, plan.Delete{Object: g.key}, nil); failed != nil {
		err = errors.Join(err, failed)
	}
	return g.report, err
}

// verify looks at the object through any control plane.
func (g *Gap) verify(ctx context.Context) error {
	var live *corev1.ConfigMap
	err := g.client.persist(ctx, nil, func(ctx context.Context) (err error) {
		live, err = g.get(ctx, g.client.typed.CoreV1())
		return err
	})
	if err != nil {
		return fmt.Errorf("verify the writes: %w", err)
	}
	return g.check(live)
}
