package main_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"path"
	"slices"
	"strconv"
	"time"
)

// What the API shows follows at each look from how the machines are, so a watch of it looks again and
// again, and tells the difference.

// watchEvery is how often a watch looks, and versionsKept how many versions of lists can be watched from.
const (
	watchEvery   = 50 * time.Millisecond
	versionsKept = 100
)

// listedAt is what a list held at a version: each object as JSON, by its key.
type listedAt struct {
	version string
	items   map[string]string
}

// versioned gives a list a version of its own, from which it can be watched; the caller holds the lock.
func (c *fakeCluster) versioned(items []object) (version string) {
	c.version++
	version = strconv.Itoa(c.version)
	c.lists = append(c.lists, listedAt{version, keyed(items)})
	if len(c.lists) > versionsKept {
		c.lists = slices.Delete(c.lists, 0, 1)
	}
	return version
}

func keyed(items []object) map[string]string {
	texts := map[string]string{}
	for _, item := range items {
		namespace, _ := part(item, "metadata")["namespace"].(string)
		text, _ := json.Marshal(item) // of what came as JSON it cannot fail
		texts[namespace+"/"+nameOf(item)] = string(text)
	}
	return texts
}

// serveWatch tells of all that changes in a list since a version, for as long as the host's API server
// serves and the client listens.
func (h *stageHost) serveWatch(w http.ResponseWriter, r *http.Request) {
	c := h.cluster
	c.mu.Lock()
	at := slices.IndexFunc(c.lists, func(l listedAt) bool { return l.version == r.URL.Query().Get("resourceVersion") })
	var before map[string]string
	if at >= 0 {
		before = c.lists[at].items
	}
	c.mu.Unlock()
	if at < 0 {
		refuse(w, http.StatusGone, "Expired")
		return
	}
	w.Header().Set("Content-Type", "application/json")
	look := time.NewTicker(watchEvery)
	defer look.Stop()
	for {
		events, now := h.changes(r, before)
		for _, event := range events {
			_ = json.NewEncoder(w).Encode(event) // who has left hears nothing
		}
		w.(http.Flusher).Flush()
		before = now
		select {
		case <-r.Context().Done():
			return
		case <-look.C:
		}
	}
}

// changes are what has come about in a list, as the events of a watch.
func (h *stageHost) changes(r *http.Request, before map[string]string) (events []object, now map[string]string) {
	c, collection := h.cluster, path.Base(r.URL.Path)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.settle()
	if !h.serves() {
		panic(http.ErrAbortHandler) // the connection ends, as that of a server that has
	}
	items := c.list(r, collection)
	if now = keyed(items); maps.Equal(before, now) {
		return nil, now
	}
	version := c.versioned(items)
	tell := func(kind, text string) {
		shown := object{}
		_ = json.Unmarshal([]byte(text), &shown) // it is what keyed has made
		metadata := part(shown, "metadata")
		metadata["resourceVersion"] = version
		shown["kind"], shown["apiVersion"], shown["metadata"] = listed[collection], "v1", metadata
		events = append(events, object{"type": kind, "object": shown})
	}
	for key, text := range now {
		switch had, there := before[key]; {
		case !there:
			tell("ADDED", text)
		case had != text:
			tell("MODIFIED", text)
		}
	}
	for key, text := range before {
		if _, there := now[key]; !there {
			tell("DELETED", text)
		}
	}
	return events, now
}
