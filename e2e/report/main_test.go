package main

import (
	"strings"
	"testing"
)

const events = `{"Action":"start","Package":"a"}
{"Action":"run","Package":"a","Test":"TestGood"}
{"Action":"output","Package":"a","Test":"TestGood","Output":"    good_test.go:1: chatter\n"}
{"Action":"pass","Package":"a","Test":"TestGood","Elapsed":0.5}
{"Action":"run","Package":"a","Test":"TestBad"}
{"Action":"output","Package":"a","Test":"TestBad","Output":"    bad_test.go:1: why it failed\n"}
{"Action":"fail","Package":"a","Test":"TestBad","Elapsed":2}
{"Action":"output","Package":"a","Output":"FAIL\ta\t2.5s\n"}
{"Action":"fail","Package":"a","Elapsed":2.5}
{"ImportPath":"b","Action":"build-output","Output":"b.go:1: it does not compile\n"}
{"Action":"run","Package":"live","Test":"TestWalk"}
{"Action":"run","Package":"live","Test":"TestWalk/one"}
{"Action":"run","Package":"live","Test":"TestWalk/one/half"}
{"Action":"output","Package":"live","Test":"TestWalk/one/half","Output":"as it comes\n"}
{"Action":"pass","Package":"live","Test":"TestWalk/one/half","Elapsed":60}
{"Action":"pass","Package":"live","Test":"TestWalk/one","Elapsed":61}
{"Action":"pass","Package":"live","Test":"TestWalk","Elapsed":100}
{"Action":"output","Package":"live","Output":"PASS\n"}
no event at all
`

func TestReport(t *testing.T) {
	var out strings.Builder
	r := report{out: &out, live: "live", said: map[test]*strings.Builder{}, parents: map[test]bool{}}
	if err := r.read(strings.NewReader(events)); err != nil {
		t.Fatal(err)
	}
	r.tell(2)
	const want = `    bad_test.go:1: why it failed
FAIL	a	2.5s
b.go:1: it does not compile
as it comes
PASS
no event at all

The 2 slowest tests:
    60.0 s  live TestWalk/one/half
     2.0 s  a TestBad
`
	if out.String() != want {
		t.Errorf("want:\n%s\ngot:\n%s", want, out.String())
	}
}
