package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// A host that was taken over may answer a list with millions of objects of three bytes, each of
// which takes hundreds in memory. So what is kept of a list is made object by object, and there is
// an end to their number and to that of their parts: fields and entries of lists.
const (
	mostListed = 20_000     // Kubernetes is made for clusters of 5,000 nodes
	mostParts  = 50_000     // of one object: a node with its images has some 1,000
	partsSeen  = 10_000_000 // of all of a list, where little is kept of each object
	partsKept  = 1_000_000  // where objects are kept: the Pods of a node
)

// each decodes the objects of a list, which may have so many parts, one by one, and gives what keep
// makes of each.
func each[T, K any](body []byte, parts int, keep func(T) K) ([]K, error) {
	decoder := json.NewDecoder(bytes.NewReader(body))
	if token, err := decoder.Token(); err != nil || token != json.Delim('{') {
		return nil, errors.Join(errors.New("it is no list"), err)
	}
	for decoder.More() {
		key, err := decoder.Token()
		if err != nil {
			return nil, err
		}
		if key == "items" {
			return items(decoder, parts, keep)
		}
		var skipped json.RawMessage
		if err := decoder.Decode(&skipped); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

func items[T, K any](decoder *json.Decoder, parts int, keep func(T) K) ([]K, error) {
	token, err := decoder.Token()
	if err != nil || token == nil { // null is an empty list
		return nil, err
	}
	if token != json.Delim('[') {
		return nil, fmt.Errorf("%v where a list begins", token)
	}
	var kept []K
	for decoder.More() {
		var raw json.RawMessage
		if err := decoder.Decode(&raw); err != nil {
			return nil, err
		}
		has := partsOf(raw)
		parts -= has
		switch {
		case len(kept) == mostListed:
			return nil, fmt.Errorf("the list has more than %d objects", mostListed)
		case has > mostParts:
			return nil, fmt.Errorf("an object of the list has more than %d parts", mostParts)
		case parts < 0:
			return nil, errors.New("the objects of the list have too many parts")
		}
		var item T
		if err := json.Unmarshal(raw, &item); err != nil {
			return nil, err
		}
		kept = append(kept, keep(item))
	}
	_, err = decoder.Token()
	return kept, err
}

// partsOf bounds how many fields and entries an object has.
func partsOf(object []byte) int {
	return bytes.Count(object, []byte("{")) + bytes.Count(object, []byte("[")) + bytes.Count(object, []byte(","))
}
