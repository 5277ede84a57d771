package api

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strconv"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// told is a change that watches are told of.
type told struct {
	version int
	path    string
	object  map[string]any
	line    string // the event; empty: it is too old to be told
}

// tell has watches tell of a change; the caller holds the lock.
func (c *cluster) tell(change, path string, object map[string]any) {
	parts := strings.Split(path, "/")
	shown := maps.Clone(object)
	shown["kind"], shown["apiVersion"] = collections[parts[len(parts)-2]], "v1"
	text, err := json.Marshal(map[string]any{"type": change, "object": shown})
	if err != nil {
		c.t.Error(err)
	}
	c.told = append(c.told, told{c.version, path, object, string(text) + "\n"})
	close(c.news)
	c.news = make(chan struct{})
}

// remove deletes an object; the caller holds the lock.
func (c *cluster) remove(path string) {
	object := c.objects[path]
	c.version++
	metadata := maps.Clone(object["metadata"].(map[string]any))
	metadata["resourceVersion"] = strconv.Itoa(c.version)
	object = maps.Clone(object)
	object["metadata"] = metadata
	delete(c.objects, path)
	c.tell("DELETED", path, object)
}

// lose deletes an object.
func (c *cluster) lose(path string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.remove(path)
}

// forget makes all that was told too old to be told again.
func (c *cluster) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range c.told {
		c.told[i].line = ""
	}
}

// ofType tells whether an object has the type that a field selector asks for, if it does.
func ofType(r *http.Request, object map[string]any) bool {
	wanted, asked := strings.CutPrefix(r.URL.Query().Get("fieldSelector"), "type=")
	return !asked || object["type"] == wanted
}

// serveWatch tells what changes in a collection after a version, until the client leaves.
func (p *plane) serveWatch(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	p.asked = append(p.asked, "WATCH "+r.URL.Path)
	var status *metav1.Status
	if p.answer != nil {
		status = p.answer(p.name, r)
	}
	p.mu.Unlock()
	if status != nil {
		refuse(w, int(status.Code), status.Reason, status.Message)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	flush := w.(http.Flusher).Flush
	flush()
	collection := r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:]
	for since, _ := strconv.Atoi(r.URL.Query().Get("resourceVersion")); ; {
		p.mu.Lock()
		news, lines := p.news, ""
		for _, one := range p.told {
			parts := strings.Split(one.path, "/")
			if one.version <= since || parts[len(parts)-2] != collection || !ofType(r, one.object) {
				continue
			}
			if one.line == "" {
				lines = `{"type":"ERROR","object":{"kind":"Status","apiVersion":"v1","status":"Failure","code":410,"reason":"Expired","message":"too old resource version"}}` + "\n"
				break
			}
			lines += one.line
		}
		since = p.version
		p.mu.Unlock()
		_, _ = fmt.Fprint(io.Writer(w), lines) // who has left hears nothing
		flush()
		select {
		case <-r.Context().Done():
			return
		case <-news:
		}
	}
}
