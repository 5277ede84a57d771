package api

import (
	"context"
	"net/http"

	"github.com/slipway-k8s/slipway/hosts"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/cache"
)

// source is a kind of objects that is listed and watched.
type source struct {
	what   string // as Lacking.What has it
	path   string
	fields string // a field selector
	object runtime.Object
	list   func(context.Context, *Client, request) (runtime.Object, error)
	store  cache.ReflectorStore
}

// sources are all kinds, each with the part of what was seen that it keeps up.
func (w *watched) sources() []source {
	return []source{
		{hosts.LackNodes, "/api/v1/nodes", "", &corev1.Node{}, listNodes, &keeper[corev1.Node, hosts.LiveNode]{w, w.nodes, liveNode, nil}},
		{hosts.LackPods, "/api/v1/pods", "", &corev1.Pod{}, listPods, &keeper[corev1.Pod, watchedPod]{w, w.pods, w.pace.watchedPod, nil}},
		{hosts.LackWarnings, "/api/v1/events", "type=" + corev1.EventTypeWarning, &corev1.Event{}, listEvents, &keeper[corev1.Event, hosts.Warning]{w, w.warnings, warning, w.dropOld}},
	}
}

// lister lists and watches a source by the client. Lists come in pages, and what is not shown is dropped
// page by page.
type lister struct {
	client *Client
	of     source
	begun  func() // is called when a watch has begun
}

// IsWatchListSemanticsUnSupported has the reflector list by lists: of those the client bounds the length.
func (l lister) IsWatchListSemanticsUnSupported() bool { return true }

func (l lister) List(options metav1.ListOptions) (runtime.Object, error) {
	return l.ListWithContext(context.Background(), options)
}

func (l lister) Watch(options metav1.ListOptions) (watch.Interface, error) {
	return l.WatchWithContext(context.Background(), options)
}

// ListWithContext lists all, whatever the options say of pages and versions.
func (l lister) ListWithContext(ctx context.Context, _ metav1.ListOptions) (runtime.Object, error) {
	asked := request{verb: http.MethodGet, path: l.of.path, params: map[string]string{}}
	if l.of.fields != "" {
		asked.params["fieldSelector"] = l.of.fields
	}
	return l.of.list(ctx, l.client, asked)
}

// WatchWithContext watches from a version on.
func (l lister) WatchWithContext(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
	options.Watch, options.FieldSelector = true, l.of.fields
	began, err := l.client.typed.CoreV1().RESTClient().Get().AbsPath(l.of.path).VersionedParams(&options, scheme.ParameterCodec).MaxRetries(0).Watch(ctx)
	if err == nil {
		l.begun()
	}
	return began, err
}

// follow keeps a source up until the context ends.
func (c *Client) follow(ctx context.Context, w *watched, s source, lost chan<- struct{}) {
	wait := w.pace.again
	from := lister{c, s, func() {
		wait = w.pace.again
		w.lacks(s.what, "")
	}}
	reflector := cache.NewReflectorWithOptions(from, s.object, s.store, cache.ReflectorOptions{Name: s.what})
	for {
		err := reflector.ListAndWatchWithContext(ctx) // nil where a watch has ended that had begun
		if ctx.Err() != nil {
			return
		}
		switch {
		case err == nil:
		case answered(err) && !outage(err):
			w.lacks(s.what, brief(err))
		default:
			select {
			case lost <- struct{}{}:
			default:
			}
		}
		if hosts.Pause(ctx, wait) != nil {
			return
		}
		wait = min(2*wait, w.pace.longest)
	}
}

// keeper keeps of each object of a source what make makes of it, by namespace and name.
type keeper[T, K any] struct {
	watched *watched
	kept    map[string]K
	make    func(*T) K
	tidy    func() // is called, with the lock held, after something was put there; may be nil
}

func (s *keeper[T, K]) put(object any) {
	if one, is := object.(*T); is {
		s.kept[keyOf(object)] = s.make(one)
	}
	if s.tidy != nil {
		s.tidy()
	}
}

// keyOf is namespace and name of an object.
func keyOf(object any) string {
	key, _ := cache.MetaNamespaceKeyFunc(object) // of the kinds that are watched it cannot fail
	return key
}

// Add puts a new object there.
func (s *keeper[T, K]) Add(object any) error {
	s.watched.change(func() { s.put(object) })
	return nil
}

// Update replaces an object.
func (s *keeper[T, K]) Update(object any) error { return s.Add(object) }

// Delete forgets an object.
func (s *keeper[T, K]) Delete(object any) error {
	s.watched.change(func() { delete(s.kept, keyOf(object)) })
	return nil
}

// Replace puts these objects there and no others.
func (s *keeper[T, K]) Replace(objects []any, _ string) error {
	s.watched.change(func() {
		clear(s.kept)
		for _, object := range objects {
			s.put(object)
		}
	})
	return nil
}

// Resync has no meaning here.
func (s *keeper[T, K]) Resync() error { return nil }

func listNodes(ctx context.Context, c *Client, asked request) (runtime.Object, error) {
	items, version, err := listPages(ctx, c, c.onceEach, asked, pageOf, partsKept, watchedNode)
	return &corev1.NodeList{ListMeta: metav1.ListMeta{ResourceVersion: version}, Items: items}, err
}

func listPods(ctx context.Context, c *Client, asked request) (runtime.Object, error) {
	items, version, err := listPages(ctx, c, c.onceEach, asked, pageOf, partsKept, shownOfPod)
	return &corev1.PodList{ListMeta: metav1.ListMeta{ResourceVersion: version}, Items: items}, err
}

func listEvents(ctx context.Context, c *Client, asked request) (runtime.Object, error) {
	items, version, err := listPages(ctx, c, c.onceEach, asked, pageOf, partsKept, shownOfEvent)
	return &corev1.EventList{ListMeta: metav1.ListMeta{ResourceVersion: version}, Items: items}, err
}

// onceEach tries each page of a list once.
func (c *Client) onceEach(ctx context.Context, try func(context.Context) error) error {
	return c.once(ctx, c.pace.try, try)
}
