package agent

import (
	"encoding/json"
	"fmt"
	"reflect"
	"runtime"
	"strings"
	"testing"

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
	const elements = 20_000
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

// TestAllHostsTogetherAreBounded, by what each has taken and not given back.
func TestAllHostsTogetherAreBounded(t *testing.T) {
	large := []byte(`{"evidence":[` + strings.TrimSuffix(strings.Repeat("{},", 40_000), ",") + `]}`)
	var clients []*Client
	t.Cleanup(func() {
		for _, c := range clients {
			c.answers.end()
		}
	})
	var err error
	for err == nil && len(clients) < 100 {
		clients = append(clients, &Client{})
		err = clients[len(clients)-1].room(large)
	}
	if n := len(clients); err == nil || n < 5 || n > 20 || !strings.Contains(err.Error(), "all hosts") {
		t.Errorf("the host of number %d is refused: %v", n, err)
	}
	last := clients[len(clients)-1]
	if err := last.room([]byte(`{"hostname":"small"}`)); err != nil {
		t.Errorf("an ordinary answer is refused: %v", err)
	}
	clients[0].answers.end()
	clients[1].answers.end()
	if err := last.room(large); err != nil {
		t.Errorf("what was given back is not there: %v", err)
	}
	tooLarge := []byte(`{"evidence":[` + strings.TrimSuffix(strings.Repeat("{},", 2<<20), ",") + `]}`)
	if err := last.room(tooLarge); err == nil || !strings.Contains(err.Error(), `"evidence"`) {
		t.Errorf("one that is too large: %v", err)
	}
}

// TestLongFramesAreBounded over all hosts, while they come.
func TestLongFramesAreBounded(t *testing.T) {
	var readers []*frameReader
	t.Cleanup(func() {
		for _, r := range readers {
			r.giveBack()
		}
	})
	line := `{"kind":"done","id":1,"body":"` + strings.Repeat("x", 2*ordinaryMemory) + "\"}\n"
	var err error
	for err == nil && len(readers) < 100 {
		r := newFrameReader(strings.NewReader(line+`{"kind":"ping"}`+"\n"), maxAnswerFrame)
		r.share = &share{}
		readers = append(readers, r)
		_, err = r.read()
	}
	if n := len(readers); err == nil || n < 40 || n > 60 {
		t.Errorf("the frame of number %d is refused: %v", n, err)
	}
	for _, r := range readers[:len(readers)-1] {
		if _, err := r.read(); err != nil {
			t.Error(err)
		}
	}
	again := newFrameReader(strings.NewReader(line), maxAnswerFrame)
	again.share = &share{}
	readers = append(readers, again)
	if _, err := again.read(); err != nil {
		t.Errorf("what was given back is not there: %v", err)
	}
}
