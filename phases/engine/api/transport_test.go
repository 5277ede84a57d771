package api

import (
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
)

// oneAnswer is a transport that always answers the same.
type oneAnswer string

func (a oneAnswer) RoundTrip(*http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(string(a)))}, nil
}

// asked is the answer to a request for a path.
func asked(t *testing.T, b *bounds, path, answer string) io.ReadCloser {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://kubernetes"+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	response, err := b.around(oneAnswer(answer)).RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	return response.Body
}

func TestAnAnswerHasAnEnd(t *testing.T) {
	const endless = 1 << 20
	for name, test := range map[string]struct {
		path   string
		length int
		most   int // 0: it is read to its end
	}{
		"an object that fits":                  {"/api/v1/nodes/n-1", 10, 0},
		"an object that is too long":           {"/api/v1/nodes/n-1", 20, 10},
		"an object called as lists are":        {"/api/v1/namespaces/x/configmaps/nodes-1", 20, 10},
		"an object of the name of a list":      {"/api/v1/namespaces/kube-system/configmaps/nodes", 20, 10},
		"a namespace of such a name":           {"/api/v1/namespaces/pods", 20, 10},
		"a list of Secrets":                    {"/api/v1/namespaces/kube-system/secrets", 20, 10},
		"nodes":                                {"/api/v1/nodes", 30, 0},
		"nodes without an end":                 {"/api/v1/nodes", endless, 30},
		"Pods of a node":                       {"/api/v1/pods?fieldSelector=spec.nodeName%3Dn-1", 30, 0},
		"Pods of a namespace without an end":   {"/api/v1/namespaces/x/pods?labelSelector=a", endless, 30},
		"another group's resource of the name": {"/apis/evil.example/v1/pods", 20, 10},
		"a watch without an end of its event":  {"/api/v1/nodes?watch=true", endless, 10},
	} {
		t.Run(name, func(t *testing.T) {
			body := asked(t, &bounds{object: 10, list: 30, sum: 2 * endless}, test.path, strings.Repeat("x", test.length))
			defer body.Close()
			got, err := io.ReadAll(body)
			if test.most == 0 && (err != nil || len(got) != test.length) {
				t.Errorf("%d bytes of %d, %v", len(got), test.length, err)
			}
			if test.most > 0 && (err == nil || len(got) > test.most) {
				t.Errorf("%d bytes of it were taken in, %v", len(got), err)
			}
		})
	}
}

func TestAnAnswerHasAnEndInParts(t *testing.T) {
	for name, test := range map[string]struct {
		path  string
		parts int
		fits  bool
	}{
		"Pods of a node":               {"/api/v1/pods?fieldSelector=spec.nodeName%3Dn-1", partsKept, true},
		"Pods of a node without end":   {"/api/v1/pods?fieldSelector=spec.nodeName%3Dn-1", partsKept + 1, false},
		"an object":                    {"/apis/apps/v1/namespaces/x/daemonsets/y", partsKept, true},
		"an object without end":        {"/apis/apps/v1/namespaces/x/daemonsets/y", partsKept + 1, false},
		"nodes":                        {"/api/v1/nodes", partsSeen, true},
		"nodes without end":            {"/api/v1/nodes", partsSeen + 1, false},
		"Pods of a namespace":          {"/api/v1/namespaces/x/pods", partsSeen, true},
		"Pods of a namespace, no end ": {"/api/v1/namespaces/x/pods", partsSeen + 1, false},
	} {
		t.Run(name, func(t *testing.T) {
			body := asked(t, newBounds(), test.path, strings.Repeat(",", test.parts))
			defer body.Close()
			if _, err := io.Copy(io.Discard, body); (err == nil) != test.fits {
				t.Errorf("%d parts: %v", test.parts, err)
			}
		})
	}
}

// TestAnswersHaveAnEndTogether: many long answers at once are as much as one that is too long.
func TestAnswersHaveAnEndTogether(t *testing.T) {
	b := &bounds{object: 10, list: 30, sum: 15}
	const answer = "0123456789"
	first := asked(t, b, "/version", answer)
	if got, err := io.ReadAll(first); err != nil || string(got) != answer {
		t.Fatalf("the first: %q, %v", got, err)
	}
	second := asked(t, b, "/version", answer)
	if got, err := io.ReadAll(second); err == nil || len(got) > 5 {
		t.Errorf("the second beside it: %d bytes were taken in, %v", len(got), err)
	}
	for _, body := range []io.Closer{first, second, second} {
		if err := body.Close(); err != nil {
			t.Fatal(err)
		}
	}
	third := asked(t, b, "/version", answer)
	defer third.Close()
	if got, err := io.ReadAll(third); err != nil || string(got) != answer {
		t.Errorf("one after them: %q, %v", got, err)
	}
}

// TestAListIsNoMoreThanItsBytes: what three bytes each become is not kept, and has an end.
func TestAListIsNoMoreThanItsBytes(t *testing.T) {
	const length = 8 << 20
	many := strings.Repeat("{},", length/3) + "{}"
	for name, test := range map[string]struct {
		body string
		want int // objects; -1: it is refused
	}{
		"nodes":                      {`{"kind":"NodeList","metadata":{"a":[1,{}]},"items":[{"metadata":{"name":"a"}},{}]}`, 2},
		"none":                       {`{"items":[],"kind":"NodeList"}`, 0},
		"null":                       {`{"items":null}`, 0},
		"none said":                  {`{"kind":"NodeList"}`, 0},
		"no list":                    {`[]`, -1},
		"cut":                        {`{"items":[{}`, -1},
		"empty objects":              {`{"items":[` + many + `]}`, -1},
		"an object of empty objects": {`{"items":[{"status":{"images":[` + many + `]}}]}`, -1},
		"objects of many parts":      {`{"items":[` + strings.Repeat(`{"status":{"images":[`+strings.Repeat("{},", 10_000)+`{}]}},`, 600) + `{}]}`, -1},
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			nodes, err := each([]byte(test.body), partsSeen, asNode)
			runtime.ReadMemStats(&after)
			if (err != nil) != (test.want < 0) || err == nil && len(nodes) != test.want {
				t.Errorf("%d nodes, %v", len(nodes), err)
			}
			if took := after.TotalAlloc - before.TotalAlloc; len(test.body) <= 2*length && took > 128<<20 {
				t.Errorf("%d MiB were taken for %d bytes", took>>20, len(test.body))
			}
		})
	}
}

// TestAWatchMayGoOn, whatever it has said before: the bounds are those of one event.
func TestAWatchMayGoOn(t *testing.T) {
	b := &bounds{object: 10, list: 30, sum: 20}
	body := asked(t, b, "/api/v1/pods?watch=true", strings.Repeat("[[[[[[[[\n", mostParts)+strings.Repeat("x", 11))
	defer body.Close()
	got, err := io.ReadAll(iotest.OneByteReader(body))
	if err == nil || len(got) != 9*mostParts+10 {
		t.Errorf("%d bytes were taken in, %v", len(got), err)
	}
	if _ = body.Close(); b.open.Load() != 0 {
		t.Errorf("%d bytes count for ever", b.open.Load())
	}
}
