package api

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/forecast"
)

// dials is a host whose Dial leads to one server.
type dials struct {
	hosts.Host
	to string
}

func (d dials) Dial(ctx context.Context, _, _ string) (net.Conn, error) {
	return new(net.Dialer).DialContext(ctx, "tcp", d.to)
}

// BenchmarkDrainForecast reads a cluster of 500 nodes and 10,000 Pods from a simulated API server, asks
// for each Pod's eviction, and plays the drains of all hosts in turn. It must take at most 10 s.
func BenchmarkDrainForecast(b *testing.B) {
	const nodes, pods = 500, 10_000
	ca := newAuthority(b)
	cert, key := ca.leaf(b, "kubernetes")
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		b.Fatal(err)
	}
	server := httptest.NewUnstartedServer(largeCluster(nodes, pods))
	server.EnableHTTP2, server.TLS = true, &tls.Config{Certificates: []tls.Certificate{pair}}
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()
	client, err := New(Options{
		Hosts:     map[string]hosts.Host{"cp-1": dials{to: server.Listener.Addr().String()}},
		Endpoints: map[string]string{"cp-1": "cp-1:6443"}, CA: ca.pem(), Cert: cert, Key: key,
	})
	if err != nil {
		b.Fatal(err)
	}
	defer client.Close()
	var sets []forecast.Set
	for i := range nodes {
		sets = append(sets, forecast.Set{Hosts: []string{fmt.Sprint("n-", i)}, Return: true})
	}
	for b.Loop() {
		state, err := client.Workloads(b.Context())
		if err != nil || len(state.Pods) != pods {
			b.Fatalf("%v: %d Pods", err, len(state.Pods))
		}
		made, err := forecast.Make(state, sets, forecast.Options{Now: time.Now()})
		if err != nil {
			b.Fatal(err)
		}
		if state.Refused, err = client.AskEvictions(b.Context(), made.Asked()); err != nil || len(made.Asked()) != pods {
			b.Fatalf("%v: %d asked", err, len(made.Asked()))
		}
		if made, err = forecast.Make(state, sets, forecast.Options{Now: time.Now()}); err != nil || len(made.Blocked()) > 0 {
			b.Fatal(err, made.Blocked())
		}
	}
}

// largeCluster answers lists in pages, and grants every eviction. Its Pods are as long as real ones.
func largeCluster(nodes, pods int) http.Handler {
	noise := strings.Repeat("x", 3000)
	makes := map[string]struct {
		of   int
		make func(i int) string
	}{
		"/api/v1/nodes": {nodes, func(i int) string {
			return fmt.Sprintf(`{"metadata":{"name":"n-%d","labels":{"kubernetes.io/hostname":"n-%d"},"annotations":{"n":%q}},"status":{"allocatable":{"cpu":"8","memory":"32Gi","pods":"110"},"conditions":[{"type":"Ready","status":"True"}]}}`, i, i, noise)
		}},
		"/api/v1/pods": {pods, func(i int) string {
			app := i / 10
			return fmt.Sprintf(`{"metadata":{"name":"p-%d","namespace":"default","uid":"p-%d","labels":{"app":"a-%d","pod-template-hash":"5d"},"annotations":{"n":%q},
				"ownerReferences":[{"apiVersion":"apps/v1","kind":"ReplicaSet","name":"a-%d-5d","uid":"a-%d","controller":true}]},
				"spec":{"nodeName":"n-%d","containers":[{"name":"c","env":[{"name":"n","value":%q}],"resources":{"requests":{"cpu":"100m","memory":"64Mi"}}}],
				"affinity":{"podAntiAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":[{"topologyKey":"kubernetes.io/hostname","labelSelector":{"matchLabels":{"app":"a-%d"}}}]}}},
				"status":{"phase":"Running","conditions":[{"type":"Ready","status":"True"}]}}`, i, i, app, noise, app, app, (i*37+i/nodes)%nodes, noise, app)
		}},
		"/apis/policy/v1/poddisruptionbudgets": {pods / 10, func(i int) string {
			return fmt.Sprintf(`{"metadata":{"name":"a-%d","namespace":"default"},"spec":{"selector":{"matchLabels":{"app":"a-%d"}}},"status":{"disruptionsAllowed":1,"currentHealthy":10,"desiredHealthy":9,"expectedPods":10}}`, i, i)
		}},
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if strings.HasSuffix(r.URL.Path, "/eviction") {
			w.WriteHeader(http.StatusCreated)
			_, _ = io.WriteString(w, `{"kind":"Status","apiVersion":"v1","status":"Success"}`)
			return
		}
		from, _ := strconv.Atoi(r.URL.Query().Get("continue"))
		limit, _ := strconv.Atoi(r.URL.Query().Get("limit"))
		list := makes[r.URL.Path]
		to, next := min(from+limit, list.of), ""
		if to < list.of {
			next = strconv.Itoa(to)
		}
		items := []json.RawMessage{}
		for i := from; i < to; i++ {
			items = append(items, json.RawMessage(list.make(i)))
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"kind": "List", "apiVersion": "v1", "metadata": map[string]string{"continue": next}, "items": items})
	})
}
