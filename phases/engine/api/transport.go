package api

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// roundTrip is a function as an http.RoundTripper.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(request *http.Request) (*http.Response, error) { return f(request) }

// clock is how far the API servers' clocks are from this machine's, by the Date of their
// answers.
type clock struct {
	mu     sync.Mutex
	offset *time.Duration
}

// offsetOrNil is how far ahead they are, to half a second; nil while nothing was answered.
func (c *clock) offsetOrNil() *time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.offset
}

// around gives a transport that reads the clock off every answer. It also drops Retry-After:
// client-go would wait for a server that another control plane can stand in for.
func (c *clock) around(next http.RoundTripper) http.RoundTripper {
	return roundTrip(func(request *http.Request) (*http.Response, error) {
		response, err := next.RoundTrip(request)
		if err != nil {
			return nil, &transportError{err}
		}
		response.Header.Del("Retry-After")
		if date, err := http.ParseTime(response.Header.Get("Date")); err == nil {
			offset := time.Until(date.Add(time.Second / 2)) // Date has whole seconds: by the middle of that one
			c.mu.Lock()
			defer c.mu.Unlock()
			c.offset = &offset
		}
		return response, nil
	})
}

// longestEtcdAnswer is how much of one answer of etcd's is read, in bytes: its members and
// their state are some kB.
const longestEtcdAnswer = 4 << 20

// bounds are how much of the API servers' answers is read, in bytes. A host that was taken
// over must not fill the operator's memory.
type bounds struct {
	object int64 // of one answer
	list   int64 // of one answer that lists nodes or Pods, or is as long
	sum    int64 // of all answers that are being read
	open   atomic.Int64
}

// newBounds are the usual ones. An object has at most 1.5 MiB in etcd, and all other answers
// but long lists are shorter. The nodes of a cluster of 5,000, each with its list of images, are
// some 100 MB.
func newBounds() *bounds { return &bounds{object: 8 << 20, list: 256 << 20, sum: 512 << 20} }

// around gives a transport whose answers have an end, in bytes and in parts: client-go decodes
// typed answers whole.
func (b *bounds) around(next http.RoundTripper) http.RoundTripper {
	return roundTrip(func(request *http.Request) (*http.Response, error) {
		response, err := next.RoundTrip(request)
		if err != nil {
			return response, err
		}
		most, parts := b.object, partsKept
		if request.URL.Query().Get("watch") == "true" {
			response.Body = &boundedBody{ReadCloser: response.Body, bounds: b, most: b.object, parts: mostParts, events: true}
			return response, nil
		}
		if listsMuch(request) {
			most = b.list
			if request.URL.Path != podsOfANode {
				parts = partsSeen
			}
		}
		response.Body = &boundedBody{ReadCloser: response.Body, bounds: b, most: most, parts: parts}
		return response, nil
	})
}

// podsOfANode is the path of a list whose objects are kept: the one of Pods, of which only those of a
// node are asked for.
const podsOfANode = "/api/v1/pods"

// definitionsPath is the path of the list of CustomResourceDefinitions, which have long schemas.
const definitionsPath = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"

// longLists are the paths of the lists of nodes and of Pods, and of what else is long.
var longLists = []string{"/api/v1/nodes", podsOfANode, "/api/v1/namespaces/*/pods", definitionsPath, "/metrics"}

// listsMuch tells whether a request is for what is long.
func listsMuch(request *http.Request) bool {
	return slices.ContainsFunc(longLists, func(pattern string) bool {
		is, err := path.Match(pattern, request.URL.Path)
		return is && err == nil
	})
}

type boundedBody struct {
	io.ReadCloser
	bounds *bounds
	most   int64
	parts  int  // that may still come
	events bool // it is a watch, whose events are a line each: the bounds are those of one of them
	read   atomic.Int64
}

func (b *boundedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	counted := p[:n]
	if end := bytes.LastIndexByte(counted, '\n'); b.events && end >= 0 {
		b.bounds.open.Add(-b.read.Swap(0))
		counted, b.parts = counted[end+1:], mostParts
	}
	read, sum := b.read.Add(int64(len(counted))), b.bounds.open.Add(int64(len(counted)))
	b.parts -= partsOf(counted)
	switch {
	case read > b.most:
		return 0, fmt.Errorf("the API server's answer is longer than %d bytes", b.most)
	case sum > b.bounds.sum:
		return 0, fmt.Errorf("the API servers' answers together are longer than %d bytes", b.bounds.sum)
	case b.parts < 0:
		return 0, errors.New("the API server's answer has too many parts")
	case err != nil && err != io.EOF:
		err = &transportError{err}
	}
	return n, err
}

// Close ends the answer: from now on it does not count.
func (b *boundedBody) Close() error {
	b.bounds.open.Add(-b.read.Swap(0))
	return b.ReadCloser.Close()
}

// transportError is a request that got no answer from an API server.
type transportError struct{ err error }

func (e *transportError) Error() string { return e.err.Error() }

func (e *transportError) Unwrap() error { return e.err }
