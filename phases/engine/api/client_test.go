package api

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/plan"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
)

var (
	one      = []string{"cp-1"}
	three    = []string{"cp-1", "cp-2", "cp-3"}
	errDown  = &hosts.Error{Kind: hosts.KindBroken, Op: "connect", Err: errors.New("connection refused")}
	settings = hosts.ObjectKey{APIVersion: "v1", Kind: "ConfigMap", Namespace: "kube-system", Name: "settings"}
)

const settingsPath = "/api/v1/namespaces/kube-system/configmaps/settings"

func says(text string) func(string) ([]byte, error) {
	return func(string) ([]byte, error) { return []byte(text), nil }
}

func status(code int32, reason metav1.StatusReason, message string) *metav1.Status {
	return &metav1.Status{Code: code, Reason: reason, Message: message}
}

func TestApplyTellsWhetherItChangedAnything(t *testing.T) {
	play(t, one, func(t *testing.T, c *cluster, client *Client) {
		steps := []struct {
			name   string
			body   string
			seed   bool
			result hosts.Result
		}{
			{"absent", `{"data":{"a":"1"}}`, false, hosts.Changed},
			{"the same", `{"data":{"a":"1"}}`, false, hosts.Unchanged},
			{"other", `{"data":{"a":"2"}}`, false, hosts.Changed},
			{"a seed where something is", `{"data":{"a":"3"}}`, true, hosts.Unchanged},
		}
		for _, step := range steps {
			done, err := client.Do(t.Context(), plan.Apply{Object: settings, Content: "ref", Seed: step.seed}, says(step.body), nil)
			if err != nil || done.Result != step.result {
				t.Errorf("%s: %v %v, should be %s", step.name, done.Result, err, step.result)
			}
		}
		if data := c.objects[settingsPath]["data"].(map[string]any); data["a"] != "2" {
			t.Errorf("the object holds %v", data)
		}
	})
}

func TestSeedIsMadeWhereNothingIs(t *testing.T) {
	play(t, one, func(t *testing.T, c *cluster, client *Client) {
		body := `{"metadata":{"name":"settings"},"data":{"a":"1"}}`
		done, err := client.Do(t.Context(), plan.Apply{Object: settings, Seed: true}, says(body), nil)
		if err != nil || done.Result != hosts.Changed || c.objects[settingsPath] == nil {
			t.Fatalf("%v %v", done, err)
		}
	})
}

func TestDeleteOfWhatIsAbsentIsUnchanged(t *testing.T) {
	play(t, one, func(t *testing.T, c *cluster, client *Client) {
		c.put(settingsPath, `{}`)
		for _, want := range []hosts.Result{hosts.Changed, hosts.Unchanged} {
			if done, err := client.Do(t.Context(), plan.Delete{Object: settings}, nil, nil); err != nil || done.Result != want {
				t.Errorf("%v %v, should be %s", done.Result, err, want)
			}
		}
	})
}

func TestApplyPersistsWhileTheClusterComesUp(t *testing.T) {
	tests := map[string]*metav1.Status{
		"unavailable":        status(503, metav1.StatusReasonServiceUnavailable, "the server is starting"),
		"leader changed":     status(500, metav1.StatusReasonInternalError, "etcdserver: leader changed"),
		"RBAC not ready":     status(403, metav1.StatusReasonForbidden, `RBAC: clusterrole "cluster-admin" not found`),
		"namespace to come":  status(404, metav1.StatusReasonNotFound, `namespaces "kube-system" not found`),
		"written meanwhile":  status(409, metav1.StatusReasonConflict, "the object has been modified"),
		"too many, for once": status(429, metav1.StatusReasonTooManyRequests, "wait"),
	}
	for name, refusal := range tests {
		t.Run(name, func(t *testing.T) {
			play(t, one, func(t *testing.T, c *cluster, client *Client) {
				c.answer = func(_ string, r *http.Request) *metav1.Status {
					if r.Method == http.MethodPatch && len(c.asked) < 10 {
						return refusal
					}
					return nil
				}
				var notes []string
				done, err := client.Do(t.Context(), plan.Apply{Object: settings}, says(`{}`), func(p hosts.Progress) { notes = append(notes, p.Note) })
				if err != nil || done.Result != hosts.Changed {
					t.Fatalf("%v %v", done, err)
				}
				if len(notes) == 0 || !strings.Contains(notes[0], refusal.Message) {
					t.Errorf("progress does not say why it waits: %q", notes)
				}
			})
		})
	}
}

func TestApplyGivesUpAtOnceOnWhatTimeDoesNotMend(t *testing.T) {
	tests := map[string]*metav1.Status{
		"invalid": status(422, metav1.StatusReasonInvalid, "data is wrong"),
		// What an API server makes of a field of the wrong type.
		"not typed": status(500, metav1.StatusReasonInternalError, "failed to create typed patch object: .data.a: expected string, data is wrong"),
	}
	for name, refusal := range tests {
		t.Run(name, func(t *testing.T) {
			play(t, one, func(t *testing.T, c *cluster, client *Client) {
				c.answer = func(_ string, r *http.Request) *metav1.Status {
					if r.Method == http.MethodPatch {
						return refusal
					}
					return nil
				}
				began := time.Now()
				_, err := client.Do(t.Context(), plan.Apply{Object: settings}, says(`{}`), nil)
				if err == nil || !strings.Contains(err.Error(), "apply ConfigMap kube-system/settings") || !strings.Contains(err.Error(), "data is wrong") {
					t.Errorf("error does not say what and why: %v", err)
				}
				if took := time.Since(began); took > time.Second {
					t.Errorf("it took %s", took)
				}
			})
		})
	}
}

func TestForbiddenForGoodIsToldAfterAWhile(t *testing.T) {
	play(t, one, func(t *testing.T, c *cluster, client *Client) {
		c.answer = func(_ string, r *http.Request) *metav1.Status {
			return status(403, metav1.StatusReasonForbidden, "you may not")
		}
		began := time.Now()
		_, err := client.Do(t.Context(), plan.Apply{Object: settings}, says(`{}`), nil)
		if err == nil || !strings.Contains(err.Error(), "you may not") || time.Since(began) > time.Minute {
			t.Errorf("after %s: %v", time.Since(began), err)
		}
	})
}

func TestSecretIsNeverInAnError(t *testing.T) {
	play(t, one, func(t *testing.T, c *cluster, client *Client) {
		refusal := status(422, metav1.StatusReasonInvalid, `invalid value: "hunter2"`)
		c.answer = func(_ string, r *http.Request) *metav1.Status {
			if r.Method == http.MethodGet {
				return nil
			}
			return refusal
		}
		key := hosts.ObjectKey{APIVersion: "v1", Kind: "Secret", Namespace: "kube-system", Name: "s"}
		_, err := client.Do(t.Context(), plan.Apply{Object: key, Secret: true}, says(`{"stringData":{"p":"hunter2"}}`), nil)
		refusal = status(403, metav1.StatusReasonForbidden, `hunter2 may not`)
		noted := func(p hosts.Progress) {
			if strings.Contains(p.Note, "hunter2") {
				t.Errorf("progress: %s", p.Note)
			}
		}
		if _, err := client.Do(t.Context(), plan.Apply{Object: key, Secret: true}, says(`{}`), noted); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("error: %v", err)
		}
		refusal = status(422, metav1.StatusReasonInvalid, `invalid value: "hunter2"`)
		if err == nil || strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), "Invalid") {
			t.Errorf("error: %v", err)
		}
	})
}

func TestClusterOfAnotherCAIsNotTrusted(t *testing.T) {
	play(t, one, func(t *testing.T, c *cluster, _ *Client) {
		client := c.client(newAuthority(t))
		defer client.Close()
		facts, err := client.Observe(t.Context(), hosts.ClusterQuery{})
		if err != nil || facts.Reachable || !strings.Contains(facts.Cause, "certificate signed by unknown authority") {
			t.Errorf("%+v %v", facts, err)
		}
		began := time.Now()
		if _, err := client.Do(t.Context(), plan.Apply{Object: settings}, says(`{}`), nil); err == nil || time.Since(began) > time.Second {
			t.Errorf("after %s: %v", time.Since(began), err)
		}
		if len(c.asked) > 0 {
			t.Errorf("requests were made: %v", c.asked)
		}
	})
}

// TestTheAPIIsReachedFromAHostThatIsNoControlPlane: by any of its addresses that answers
// there, and only with the certificate of the cluster that is meant.
func TestTheAPIIsReachedFromAHostThatIsNoControlPlane(t *testing.T) {
	worker := func(c *cluster) hosts.Host {
		w := c.newPlane("w-1")
		c.planes["w-1"] = w // stopped like those
		c.routes = map[string]func(context.Context, string) (net.Conn, error){
			"10.0.0.1:6443": func(context.Context, string) (net.Conn, error) { return nil, errDown },
			"10.0.0.2:6443": func(context.Context, string) (net.Conn, error) { return c.planes["cp-1"].accept(), nil },
		}
		return w
	}
	from := func(c *cluster, w hosts.Host, addresses ...string) func(*Options) {
		return func(o *Options) {
			o.Hosts, o.Endpoints, o.AllHosts = nil, nil, map[string]hosts.Host{"w-1": w}
			for _, address := range addresses {
				o.Ways = append(o.Ways, Way{From: "w-1", Host: w, Address: address})
			}
		}
	}
	play(t, one, func(t *testing.T, c *cluster, _ *Client) {
		w := worker(c)
		for name, test := range map[string]struct {
			trusted   authority
			addresses []string
			cause     string
		}{
			"one of two answers": {c.ca, []string{"10.0.0.1:6443", "10.0.0.2:6443"}, ""},
			"none answers":       {c.ca, []string{"10.0.0.1:6443"}, "reach the API at 10.0.0.1:6443 from w-1: connect: connection refused"},
			"another cluster's":  {newAuthority(t), []string{"10.0.0.2:6443"}, "certificate signed by unknown authority"},
		} {
			client := c.clientWith(test.trusted, from(c, w, test.addresses...))
			facts, err := client.Observe(t.Context(), hosts.ClusterQuery{})
			if err != nil || facts.Reachable != (test.cause == "") || !strings.Contains(facts.Cause, test.cause) {
				t.Errorf("%s: %+v %v", name, facts, err)
			}
			client.Close()
		}

		c.planes["cp-1"].down = errDown // a control plane that is connected and has yet to serve
		client := c.clientWith(c.ca, func(o *Options) {
			delete(o.Hosts, "w-1")
			o.Ways = []Way{{From: "w-1", Host: w, Address: "10.0.0.2:6443"}}
		})
		defer client.Close()
		facts, err := client.Observe(t.Context(), hosts.ClusterQuery{})
		if err != nil || !facts.Reachable {
			t.Errorf("beside a control plane that does not serve: %+v %v", facts, err)
		}
	})
}

func TestAnotherControlPlaneServesWhenOneIsLost(t *testing.T) {
	losses := map[string]func(p *plane){
		"refused":         func(p *plane) { p.cut(errDown) },
		"host cut off":    func(p *plane) { p.cut(&hosts.Error{Kind: hosts.KindCut, Op: "connect", Err: errors.New("EOF")}) },
		"does not answer": func(p *plane) { p.cut(nil); p.hangs = true },
		"lost its etcd": func(p *plane) {
			p.answer = func(host string, _ *http.Request) *metav1.Status {
				if host == p.name {
					return status(503, metav1.StatusReasonServiceUnavailable, "etcd failed")
				}
				return nil
			}
		},
	}
	for name, lose := range losses {
		t.Run(name, func(t *testing.T) {
			play(t, three, func(t *testing.T, c *cluster, client *Client) {
				apply := func() error {
					_, err := client.Do(t.Context(), plan.Apply{Object: settings}, says(`{}`), nil)
					return err
				}
				if err := apply(); err != nil {
					t.Fatal(err)
				}
				lose(c.planes["cp-1"])
				began := time.Now()
				if err := apply(); err != nil {
					t.Fatal(err)
				}
				if took := time.Since(began); took > 5*time.Second {
					t.Errorf("it took %s", took)
				}
				dialed := c.planes["cp-1"].dialed
				if err := apply(); err != nil || c.planes["cp-1"].dialed != dialed {
					t.Errorf("the lost one was asked again: %v", err)
				}
			})
		})
	}
}

func TestKindsThatTheTableDoesNotHoldAreAskedFor(t *testing.T) {
	play(t, one, func(t *testing.T, c *cluster, client *Client) {
		c.put("/apis/example.org/v1", `{"resources":[{"name":"boats/status","kind":"Boat","namespaced":true},{"name":"boats","kind":"Boat","namespaced":true}]}`)
		key := hosts.ObjectKey{APIVersion: "example.org/v1", Kind: "Boat", Namespace: "sea", Name: "b"}
		for range 2 {
			if _, err := client.Do(t.Context(), plan.Apply{Object: key}, says(`{"a":1}`), nil); err != nil {
				t.Fatal(err)
			}
		}
		if c.objects["/apis/example.org/v1/namespaces/sea/boats/b"] == nil || c.count("GET /apis/example.org/v1") != 1 {
			t.Errorf("asked %v", c.asked)
		}
		key.Kind = "Ship"
		if object, err := client.object(t.Context(), key); err != nil || object != nil {
			t.Errorf("a kind that is unknown should be absent: %s %v", object, err)
		}
	})
}

func TestNamespacedKindNeedsANamespace(t *testing.T) {
	play(t, one, func(t *testing.T, c *cluster, client *Client) {
		_, err := client.Do(t.Context(), plan.Apply{Object: hosts.ObjectKey{APIVersion: "v1", Kind: "ConfigMap", Name: "x"}}, says(`{}`), nil)
		if err == nil || !strings.Contains(err.Error(), "needs a namespace") {
			t.Error(err)
		}
	})
}

func TestCancelEndsARetry(t *testing.T) {
	play(t, one, func(t *testing.T, c *cluster, client *Client) {
		c.planes["cp-1"].down = errDown
		ctx, cancel := context.WithCancel(t.Context())
		_, err := client.Do(ctx, plan.Apply{Object: settings}, says(`{}`), func(hosts.Progress) { cancel() })
		if !errors.Is(err, context.Canceled) {
			t.Errorf("not a cancelled one: %v", err)
		}
	})
}

func TestForwardCarriesConnections(t *testing.T) {
	play(t, one, func(t *testing.T, c *cluster, client *Client) {
		ctx, cancel := context.WithCancel(t.Context())
		entry := &plane{conns: make(chan net.Conn), closed: make(chan struct{})}
		ended := make(chan error)
		go func() { ended <- client.Forward(ctx, entry) }()
		near, far := pipe()
		entry.conns <- far
		transport := &http.Transport{
			DialContext: func(context.Context, string, string) (net.Conn, error) { return near, nil },
		}
		config, err := tlsOf(client)
		if err != nil {
			t.Fatal(err)
		}
		transport.TLSClientConfig = config
		response, err := (&http.Client{Transport: transport}).Get("https://" + client.ServerName() + "/readyz")
		if err != nil || response.StatusCode != 200 {
			t.Fatalf("%v %v", response, err)
		}
		response.Body.Close()
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		transport.CloseIdleConnections()
	})
}

func TestTokens(t *testing.T) {
	play(t, one, func(t *testing.T, c *cluster, client *Client) {
		expires := time.Date(2031, 2, 3, 4, 5, 6, 0, time.UTC)
		c.put("/api/v1/namespaces/kube-system/secrets/bootstrap-token-abcdef", `{"type":"bootstrap.kubernetes.io/token","data":{
			"token-id":"YWJjZGVm","token-secret":"MDEyMzQ1Njc4OWFiY2RlZg==","expiration":"MjAzMS0wMi0wM1QwNDowNTowNlo=",
			"usage-bootstrap-signing":"dHJ1ZQ==","usage-bootstrap-authentication":"dHJ1ZQ==","auth-extra-groups":"c3lzdGVtOmE6YixzeXN0ZW06Yzpk"}}`)
		tokens, err := client.Tokens(t.Context())
		if err != nil || len(tokens) != 1 {
			t.Fatal(tokens, err)
		}
		got := tokens[0]
		if got.ID != "abcdef" || !got.Expires.Equal(expires) ||
			!slices.Equal(got.Usages, []string{"authentication", "signing"}) || len(got.Groups) != 2 {
			t.Errorf("%+v", got)
		}
		if text := fmt.Sprintf("%#v", got); strings.Contains(text, "0123456789abcdef") {
			t.Errorf("the secret is kept: %s", text)
		}
	})
}

func tlsOf(client *Client) (*tls.Config, error) { return rest.TLSConfigFor(client.config) }

// TestALiveObjectIsAskedFor: one that is not there is none, and where nobody answers that is an error.
func TestALiveObjectIsAskedFor(t *testing.T) {
	play(t, one, func(t *testing.T, c *cluster, client *Client) {
		c.put(settingsPath, `{"data":{"a":"1"}}`)
		live, err := client.Object(t.Context(), settings)
		if err != nil || !strings.Contains(string(live), `"a":"1"`) {
			t.Errorf("%s %v", live, err)
		}
		other := settings
		other.Name = "other"
		if live, err := client.Object(t.Context(), other); live != nil || err != nil {
			t.Errorf("an object that is absent: %s %v", live, err)
		}
	})
	play(t, one, func(t *testing.T, c *cluster, client *Client) {
		c.planes["cp-1"].down = errDown
		if live, err := client.Object(t.Context(), settings); live != nil || err == nil || !strings.HasPrefix(err.Error(), "get ConfigMap kube-system/settings: ") {
			t.Errorf("nobody answers: %s %v", live, err)
		}
	})
}
