package phases

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"regexp"

	"k8s.io/apimachinery/pkg/api/resource"
)

// unlike says where an API object does not hold what it should: the path of the first
// field, sorted, that we give and that is otherwise in the live object; "" where every
// one is so. What else the live object holds is not ours.
func unlike(want, live []byte) (string, error) {
	wanted, err := decodeObject(want)
	if err != nil {
		return "", fmt.Errorf("decode the wanted object: %w", err)
	}
	found, err := decodeObject(live)
	if err != nil {
		return "", fmt.Errorf("decode the live object: %w", err)
	}
	decodeStringData(wanted)
	return differs("", wanted, found, false), nil
}

func decodeObject(data []byte) (map[string]any, error) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	var value map[string]any
	err := decoder.Decode(&value)
	return value, err
}

// decodeStringData does what the API does with a Secret's stringData.
func decodeStringData(secret map[string]any) {
	plain, ok := secret["stringData"].(map[string]any)
	if !ok || secret["kind"] != "Secret" {
		return
	}
	data, _ := secret["data"].(map[string]any)
	if data == nil {
		data = map[string]any{}
	}
	for key, value := range plain {
		if text, ok := value.(string); ok {
			data[key] = base64.StdEncoding.EncodeToString([]byte(text))
		}
	}
	secret["data"] = data
	delete(secret, "stringData")
}

// quantities are the fields whose values are Kubernetes quantities.
var quantities = map[string]bool{
	"limits": true, "requests": true, "hard": true, "capacity": true, "sizeLimit": true, "overhead": true,
}

// differs compares one value; quantity tells that numbers may be written as quantities.
func differs(path string, want, live any, quantity bool) string {
	if empty(want) && empty(live) {
		return ""
	}
	switch want := want.(type) {
	case map[string]any:
		found, ok := live.(map[string]any)
		if !ok {
			return orRoot(path)
		}
		return mapDiffers(path, want, found, quantity)
	case []any:
		found, ok := live.([]any)
		if !ok || len(found) != len(want) {
			return orRoot(path)
		}
		for i := range want {
			if where := differs(fmt.Sprintf("%s[%d]", path, i), want[i], found[i], quantity); where != "" {
				return where
			}
		}
		return ""
	}
	if scalar(want) == scalar(live) || quantity && sameQuantity(scalar(want), scalar(live)) {
		return ""
	}
	return orRoot(path)
}

func mapDiffers(path string, want, live map[string]any, quantity bool) string {
	for _, key := range sortedKeys(want) {
		under := key
		if path != "" {
			under = path + "." + key
		}
		if where := differs(under, want[key], live[key], quantity || quantities[key]); where != "" {
			return where
		}
	}
	return ""
}

func orRoot(path string) string {
	if path == "" {
		return "the whole"
	}
	return path
}

// empty tells whether a value is one that the API leaves out.
func empty(value any) bool {
	switch value := value.(type) {
	case nil:
		return true
	case string:
		return value == ""
	case bool:
		return !value
	case json.Number:
		return scalar(value) == "0"
	case []any:
		return len(value) == 0
	case map[string]any:
		for _, inner := range value {
			if !empty(inner) {
				return false
			}
		}
		return true
	}
	return false
}

// scalar writes a plain value in one way: numbers without needless zeros, so that an
// integer and the same as a string are equal.
func scalar(value any) string {
	switch value := value.(type) {
	case string:
		return value
	case bool:
		return fmt.Sprint(value)
	case json.Number:
		if rat, ok := new(big.Rat).SetString(value.String()); ok {
			return rat.RatString()
		}
		return value.String()
	case nil:
		return ""
	}
	return fmt.Sprintf("%T", value)
}

// hugeExponent is of a number that would take gigabytes to write out when it is compared.
var hugeExponent = regexp.MustCompile(`[eE][+-]?[0-9]{3,}$`)

// longestQuantity is far more than a quantity needs.
const longestQuantity = 32

// sameQuantity tells whether two texts are the same quantity, such as 1000m and 1. A hostile
// API server may have written one of them.
func sameQuantity(one, other string) bool {
	for _, text := range []string{one, other} {
		if len(text) > longestQuantity || hugeExponent.MatchString(text) {
			return false
		}
	}
	a, errA := resource.ParseQuantity(one)
	b, errB := resource.ParseQuantity(other)
	return errA == nil && errB == nil && a.Cmp(b) == 0
}
