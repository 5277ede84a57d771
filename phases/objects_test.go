package phases

import (
	"strings"
	"testing"
)

func TestUnlike(t *testing.T) {
	tests := []struct {
		name, want, live, at string
	}{
		{"the same", `{"a":1}`, `{"a":1}`, ""},
		{"more in the live one", `{"a":1}`, `{"a":1,"b":{"c":2}}`, ""},
		{"another value", `{"a":{"b":1}}`, `{"a":{"b":2}}`, "a.b"},
		{"a missing field", `{"a":{"b":1}}`, `{"a":{}}`, "a.b"},
		{"a list, element by element", `{"a":[{"n":"x"}]}`, `{"a":[{"n":"x","default":true}]}`, ""},
		{"another element", `{"a":[{"n":"x"},{"n":"y"}]}`, `{"a":[{"n":"x"},{"n":"z"}]}`, "a[1].n"},
		{"a longer list", `{"a":["x"]}`, `{"a":["x","y"]}`, "a"},
		{"quantities", `{"limits":{"cpu":"0.1","memory":"1Gi"}}`, `{"limits":{"cpu":"100m","memory":"1024Mi"}}`, ""},
		{"other quantities", `{"limits":{"cpu":"0.1"}}`, `{"limits":{"cpu":"200m"}}`, "limits.cpu"},
		{"a number as a quantity", `{"requests":{"cpu":1}}`, `{"requests":{"cpu":"1"}}`, ""},
		{"what only looks like a quantity", `{"data":{"x":"1Gi"}}`, `{"data":{"x":"1024Mi"}}`, "data.x"},
		{"an integer and the same as a string", `{"port":8080}`, `{"port":"8080"}`, ""},
		{"one and one point nought", `{"n":1}`, `{"n":1.0}`, ""},
		{"what the API leaves out", `{"a":{},"b":[],"c":"","d":false,"e":0,"f":null}`, `{}`, ""},
		{"a flag that is off", `{"a":true}`, `{}`, "a"},
		{"a flag that is on", `{"a":false}`, `{"a":true}`, "a"},
		{"a secret's plain data", `{"kind":"Secret","stringData":{"a":"x"}}`, `{"kind":"Secret","data":{"a":"eA=="}}`, ""},
		{"a secret's other data", `{"kind":"Secret","stringData":{"a":"y"}}`, `{"kind":"Secret","data":{"a":"eA=="}}`, "data.a"},
		{"another kind of value", `{"a":{"b":1}}`, `{"a":"x"}`, "a"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			at, err := unlike([]byte(test.want), []byte(test.live))
			if err != nil || at != test.at {
				t.Errorf("got %q, %v; want %q", at, err, test.at)
			}
		})
	}
}

// TestQuantitiesOfHugeExponents: they are neither written out nor the same as another.
func TestQuantitiesOfHugeExponents(t *testing.T) {
	for _, huge := range []string{"1e1000000000", "1E1000000000", "1e2147483647", "1e-2147483647", "1" + strings.Repeat("0", 32)} {
		for _, other := range []string{"100m", "1", huge + "0"} {
			if sameQuantity(huge, other) || sameQuantity(other, huge) {
				t.Errorf("%s is %s", huge, other)
			}
		}
	}
	if !sameQuantity("1e3", "1k") || !sameQuantity("1000m", "1") {
		t.Error("small ones are no longer the same")
	}
}
