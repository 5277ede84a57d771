package agent

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// Scripted is an agent that does what a test says.
func Scripted(in io.Reader, out io.Writer, handler http.Handler) {
	s := newServer(nil, in, out, ServeOptions{Version: "v1"})
	web := s.web()
	web.Handler = handler
	s.listen(web)
}

// Send sends text as a request, and gives all that comes as its answer.
func (c *Client) Send(ctx context.Context, path, text string) (string, error) {
	request := &http.Request{
		Method: http.MethodPost, URL: &url.URL{Scheme: "http", Host: authority, Path: path}, Header: http.Header{},
		Body: readCloser{strings.NewReader(text), io.NopCloser(nil)},
	}
	response, err := c.http.RoundTrip(request.WithContext(ctx))
	if err != nil {
		return "", err
	}
	said, err := io.ReadAll(response.Body)
	return string(said), err
}
