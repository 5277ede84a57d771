package api

import (
	"net/http"
	"sync"
	"time"
)

// clock is how far the API servers' clocks are from this machine's, by the Date of their
// answers.
type clock struct {
	mu     sync.Mutex
	offset time.Duration
	known  bool
}

// offsetOrNil is how far ahead they are, to half a second; nil while nothing was answered.
func (c *clock) offsetOrNil() *time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.known {
		return nil
	}
	offset := c.offset
	return &offset
}

// listen has a transport's answers noted.
func (c *clock) listen(next http.RoundTripper) http.RoundTripper { return &listener{next, c} }

type listener struct {
	next  http.RoundTripper
	clock *clock
}

func (l *listener) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := l.next.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	if date, err := http.ParseTime(response.Header.Get("Date")); err == nil {
		l.clock.mu.Lock()
		defer l.clock.mu.Unlock()
		// Date has whole seconds: by the middle of that one.
		l.clock.offset, l.clock.known = time.Until(date.Add(time.Second/2)), true
	}
	return response, nil
}
