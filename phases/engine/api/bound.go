package api

import (
	"fmt"
	"io"
	"net/http"
)

// How much of one answer is taken in, in bytes. Who answers is a host, and a host that was
// taken over must not fill the operator's memory. The nodes of a cluster of 5,000, with what
// each says of its images, are some 100 MB; etcd's members and their state are some kB.
const (
	longestAnswer     = 256 << 20
	longestEtcdAnswer = 4 << 20
)

// bounded gives a transport whose answers have an end. A watch has none, and is read event
// by event, which client-go bounds.
func bounded(next http.RoundTripper) http.RoundTripper { return &boundedAnswers{next, longestAnswer} }

type boundedAnswers struct {
	next http.RoundTripper
	max  int64
}

func (b *boundedAnswers) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := b.next.RoundTrip(request)
	if err != nil || request.URL.Query().Get("watch") == "true" {
		return response, err
	}
	response.Body = &boundedBody{ReadCloser: response.Body, left: b.max, max: b.max}
	return response, nil
}

type boundedBody struct {
	io.ReadCloser
	left, max int64
}

func (b *boundedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return 0, fmt.Errorf("the API server's answer is longer than %d bytes", b.max)
	}
	return n, err
}
