package api

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

// oneAnswer is a transport that always answers the same.
type oneAnswer string

func (a oneAnswer) RoundTrip(*http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(string(a)))}, nil
}

func TestAnAnswerHasAnEnd(t *testing.T) {
	for _, test := range []struct {
		name, query, answer string
		fails               bool
	}{
		{name: "one that fits", answer: "0123456789"},
		{name: "one without an end", answer: strings.Repeat("x", 1<<20), fails: true},
		{name: "a watch", query: "?watch=true", answer: strings.Repeat("x", 1<<20)},
	} {
		t.Run(test.name, func(t *testing.T) {
			request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://kubernetes/api/v1/nodes"+test.query, http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			response, err := (&boundedAnswers{oneAnswer(test.answer), 10}).RoundTrip(request)
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			got, err := io.ReadAll(response.Body)
			if (err != nil) != test.fails || !test.fails && string(got) != test.answer {
				t.Errorf("%d bytes, %v", len(got), err)
			}
			if len(got) > 10 && test.fails {
				t.Errorf("%d bytes of it were taken in", len(got))
			}
		})
	}
}
