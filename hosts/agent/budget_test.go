package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
)

// many is a list, or a map, of so many of the smallest elements there are of a type.
func many(of reflect.Type, n int) string {
	element := map[reflect.Kind]string{
		reflect.Struct: "{}", reflect.String: `""`, reflect.Slice: "[]", reflect.Map: "{}", reflect.Bool: "true", reflect.Int: "1",
	}[of.Elem().Kind()]
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		if of.Kind() == reflect.Map {
			fmt.Fprintf(&b, `"%d":`, i)
		}
		b.WriteString(element)
	}
	if of.Kind() == reflect.Map {
		return "{" + b.String() + "}"
	}
	return "[" + b.String() + "]"
}

// TestTheMemoryOfAnAnswerIsBounded: whichever list of the facts is long, decoding it takes no
// more than was reckoned, and it is named.
func TestTheMemoryOfAnAnswerIsBounded(t *testing.T) {
	const elements = 5_000
	for field := range reflect.TypeFor[hosts.Facts]().Fields() {
		kind := field.Type.Kind()
		if kind != reflect.Slice && kind != reflect.Map {
			continue
		}
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		body := []byte(`{"hostname":"a\\\"b","` + name + `":` + many(field.Type, elements) + `,"selinux":"x"}`)
		reckoned, largest := memoryOf(body)
		if largest != name {
			t.Errorf("of %s it is said that %q is the largest", name, largest)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		var facts hosts.Facts
		if err := json.Unmarshal(body, &facts); err != nil {
			t.Fatal(err)
		}
		runtime.ReadMemStats(&after)
		if taken := int64(after.TotalAlloc - before.TotalAlloc); taken > reckoned {
			t.Errorf("%s takes %d bytes, reckoned were %d", name, taken, reckoned)
		}
		runtime.KeepAlive(facts)
	}
}

// TestOrdinaryFactsNeedNoBudget: those of a host with a thousand files and a hundred Pods.
func TestOrdinaryFactsNeedNoBudget(t *testing.T) {
	facts := hosts.Facts{Files: map[string]hosts.File{}}
	for i := range 500 {
		facts.Files[fmt.Sprintf("/etc/kubernetes/some/file-%d", i)] = hosts.File{
			Type: hosts.TypeFile, Mode: 0o644, Size: 1, Digest: "sha256:" + strings.Repeat("0", 64),
		}
	}
	for i := range 100 {
		facts.Sandboxes = append(facts.Sandboxes, hosts.Sandbox{ID: fmt.Sprint(i), Chains: []string{"CNI-1", "CNI-DN-1"}})
	}
	body, err := json.Marshal(facts)
	if err != nil {
		t.Fatal(err)
	}
	if memory, _ := memoryOf(body); memory > 2*ordinaryMemory {
		t.Errorf("%d bytes are reckoned", memory)
	}
}

// TestWhatAnAnswerBecameIsKnown: what stays taken is what the decoded answer takes, and not
// what it might have.
func TestWhatAnAnswerBecameIsKnown(t *testing.T) {
	const elements = 10_000
	for field := range reflect.TypeFor[hosts.Facts]().Fields() {
		if kind := field.Type.Kind(); kind != reflect.Slice && kind != reflect.Map {
			continue
		}
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		body := []byte(`{"` + name + `":` + many(field.Type, elements) + `}`)
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		var facts hosts.Facts
		if err := json.Unmarshal(body, &facts); err != nil {
			t.Fatal(err)
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		reckoned, _ := memoryOf(body)
		lives, size := int64(after.HeapAlloc)-int64(before.HeapAlloc), sizeOf(reflect.ValueOf(&facts))
		if size < lives-ordinaryMemory/16 || size > reckoned {
			t.Errorf("%s takes %d bytes, and is said to take %d; %d were reckoned", name, lives, size, reckoned)
		}
		runtime.KeepAlive(facts)
		runtime.KeepAlive(body)
	}
}

// leave has so many bytes of the budget left for a test. What a whole budget holds is known from a
// part of it, and read in a part of the time.
func leave(t *testing.T, bytes int64) {
	t.Helper()
	if !budget.TryAcquire(sharedMemory) {
		t.Fatal("a test before has kept some")
	}
	budget.Release(bytes)
	t.Cleanup(func() {
		if !budget.TryAcquire(bytes) {
			t.Error("room stays taken")
			return
		}
		budget.Release(sharedMemory)
	})
}

// clientsOf are so many without a session; what they took is given back when the test ends.
func clientsOf(t *testing.T, n int) []*Client {
	t.Helper()
	all := make([]*Client, n)
	for i := range all {
		all[i] = &Client{}
		t.Cleanup(all[i].memory.end)
	}
	return all
}

// TestManyHostsOfALargeClusterFit: kube-proxy has 12,000 chains for 3000 Services, and the last look
// of a reset may find all of them on all hosts.
func TestManyHostsOfALargeClusterFit(t *testing.T) {
	var sent hosts.Facts
	for i := range 12_000 {
		sent.Chains = append(sent.Chains, fmt.Sprintf("ip nat KUBE-SEP-%016d", i))
	}
	body, err := json.Marshal(sent)
	if err != nil {
		t.Fatal(err)
	}
	const part = 8
	leave(t, sharedMemory/part)
	var group sync.WaitGroup
	for _, c := range clientsOf(t, 100/part) {
		group.Go(func() {
			var facts hosts.Facts
			if err := c.decode(t.Context(), body, &facts); err != nil || len(facts.Chains) != len(sent.Chains) {
				t.Errorf("%d chains, %v", len(facts.Chains), err)
			}
		})
	}
	group.Wait()
	if !budget.TryAcquire(sharedMemory / part) {
		t.Fatal("of answers that are read and take little, room stays taken")
	}
	budget.Release(sharedMemory / part)
}

// TestAllHostsTogetherAreBounded, by what each has said that may be kept.
func TestAllHostsTogetherAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		large := []byte(`{"evidence":` + many(reflect.TypeFor[[]hosts.Evidence](), 75_000) + `}`)
		const others = sharedMemory - 80<<20
		if !budget.TryAcquire(others) {
			t.Fatal("a test before has kept some")
		}
		defer budget.Release(others)
		clients, refused := clientsOf(t, 40), -1
		var err error
		for i, c := range clients {
			if err = c.decode(t.Context(), large, &hosts.Facts{}); err != nil {
				refused = i
				break
			}
		}
		if refused < 4 || refused > 20 || !errors.Is(err, errNoRoom) || !strings.Contains(err.Error(), `"evidence"`) {
			t.Fatalf("the host of number %d is refused: %v", refused, err)
		}
		last := clients[refused]
		if err := last.decode(t.Context(), []byte(`{"hostname":"small"}`), &hosts.Facts{}); err != nil {
			t.Errorf("an ordinary answer is refused: %v", err)
		}
		stopped, stop := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, stop)
		if err := last.decode(stopped, large, &hosts.Facts{}); !errors.Is(err, context.Canceled) {
			t.Errorf("whoever stops waiting is told: %v", err)
		}
		time.AfterFunc(roomPatience/2, func() {
			for _, c := range clients[:refused/2] {
				c.memory.end()
			}
		})
		if err := last.decode(t.Context(), large, &hosts.Facts{}); err != nil {
			t.Errorf("what was given back while it waits is not there: %v", err)
		}
		tooLarge := []byte(`{"evidence":[` + strings.TrimSuffix(strings.Repeat("{},", 2<<20), ",") + `]}`)
		if err := last.decode(t.Context(), tooLarge, &hosts.Facts{}); err == nil || !strings.Contains(err.Error(), `"evidence"`) {
			t.Errorf("one that is too large: %v", err)
		}
	})
}

// TestLongLinesAreBounded over all hosts, and over all calls of one, while they come: each waits
// for the others.
func TestLongLinesAreBounded(t *testing.T) {
	for name, hostOf := range map[string]func(int) int{
		"a call to each of many hosts": func(n int) int { return n },
		"many calls to one host":       func(int) int { return 0 },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				leave(t, sharedMemory/8)
				hosts := make([]share, 100)
				decode := func(n int, end io.Reader) error {
					line := io.MultiReader(strings.NewReader(`"`+strings.Repeat("x", 2*ordinaryMemory)), end)
					return newLineReader(line, maxAnswer, &hosts[hostOf(n)]).decode(new(string))
				}
				before, goOn := make(chan error, 100), make(chan struct{})
				n := 0
				for ; n < 100; n++ {
					refused := make(chan error, 1)
					go func(n int) {
						err := decode(n, &waiting{goOn, strings.NewReader("\"\n")})
						refused <- err
						before <- err
					}(n)
					time.Sleep(roomPatience + time.Second) // of the bubble's clock
					if len(refused) > 0 {
						if err := <-refused; !errors.Is(err, errNoRoom) {
							t.Fatalf("the line of number %d: %v", n, err)
						}
						<-before
						break
					}
				}
				if n < 4 || n > 8 {
					t.Errorf("the line of number %d is refused", n)
				}
				time.AfterFunc(roomPatience/2, func() { close(goOn) })
				if err := decode(n, strings.NewReader("\"\n")); err != nil {
					t.Errorf("what was given back while it waits is not there: %v", err)
				}
				for range n {
					if err := <-before; err != nil {
						t.Error(err)
					}
				}
			})
		})
	}
}

// waiting reads once it may go on.
type waiting struct {
	goOn <-chan struct{}
	io.Reader
}

func (w *waiting) Read(p []byte) (int, error) {
	<-w.goOn
	return w.Reader.Read(p)
}

// TestNobodyWaitsForRoomWhenTheSessionIsOver: an answer that came before is not refused for the
// memory then, and one that finds no room was lost with the connection.
func TestNobodyWaitsForRoomWhenTheSessionIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		body := []byte(`{"chains":` + many(reflect.TypeFor[[]string](), 40_000) + `}`)
		ended := make(chan struct{})
		client := &Client{memory: share{over: ended}}
		client.memory.end()
		close(ended)
		if err := client.decode(t.Context(), body, &hosts.Facts{}); err != nil {
			t.Errorf("there is room, and it is refused: %v", err)
		}
		if !budget.TryAcquire(sharedMemory) {
			t.Fatal("something of it stays taken")
		}
		defer budget.Release(sharedMemory)
		began := time.Now()
		if err := client.decode(t.Context(), body, &hosts.Facts{}); !errors.Is(err, errOver) || time.Since(began) > 0 {
			t.Errorf("after %s: %v", time.Since(began), err)
		}
	})
}

// observing has an agent answer one look at the host, and its stream end when the test says so.
func observing(t *testing.T, answer string) (ask func() error, cut func()) {
	t.Helper()
	in, fromAgent := io.Pipe()
	toAgent, out := io.Pipe()
	go Scripted(toAgent, fromAgent, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"done":`+answer+"}\n")
	}))
	client, err := Connect(t.Context(), in, out, ConnectOptions{Version: "v1"})
	if err != nil {
		t.Fatal(err)
	}
	ask = func() error { _, err := client.Observe(t.Context(), hosts.Query{}); return err }
	return ask, func() { _ = fromAgent.Close() }
}

// TestAnAnswerWithoutRoom says what can be done; where the connection is lost meanwhile, that
// is what is told.
func TestAnAnswerWithoutRoom(t *testing.T) {
	answer := `{"chains":` + many(reflect.TypeFor[[]string](), 40_000) + `}`
	for name, test := range map[string]struct {
		cut  bool
		kind hosts.ErrorKind
		fix  string
	}{
		"the connection lives":   {false, hosts.KindBroken, fixNoRoom},
		"the connection is lost": {true, hosts.KindCut, lost("", nil).Fix},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				if !budget.TryAcquire(sharedMemory) {
					t.Fatal("a test before has kept some")
				}
				defer budget.Release(sharedMemory)
				ask, cut := observing(t, answer)
				defer cut()
				if test.cut {
					time.AfterFunc(roomPatience/2, cut)
				}
				err := ask()
				var known *hosts.Error
				if !errors.As(err, &known) || known.Kind != test.kind || known.Fix != test.fix {
					t.Errorf("it ends with %#v: %v", err, err)
				}
			})
		})
	}
}
