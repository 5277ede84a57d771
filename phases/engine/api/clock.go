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

func (c *clock) set(offset time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.offset, c.known = offset, true
}

// reader gives a transport that reads the clock off every answer.
func (c *clock) reader(next http.RoundTripper) http.RoundTripper { return &clockReader{next, c} }

type clockReader struct {
	next  http.RoundTripper
	clock *clock
}

func (r *clockReader) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := r.next.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	if date, err := http.ParseTime(response.Header.Get("Date")); err == nil {
		// Date has whole seconds: by the middle of that one.
		r.clock.set(time.Until(date.Add(time.Second / 2)))
	}
	return response, nil
}
