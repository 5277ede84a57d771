package agent

import "encoding/json"

// The bodies of requests and answers. observe's is a hosts.Query, do's an encoded
// action, progress's a hosts.Progress, failed's a wireError.

type haveBody struct {
	Refs []string `json:"refs"`
}

// blobBody is a blob's name; in a put the frame's Data is its content, in an ingest its
// content lies in the inbox.
type blobBody struct {
	Ref    string `json:"ref"`
	SHA256 string `json:"sha256"`
	Size   int64  `json:"size"`
	Secret bool   `json:"secret,omitempty"`
}

type dialBody struct {
	Network string `json:"network"`
	Address string `json:"address"`
}

type byeBody struct {
	Error *wireError `json:"error"`
}

func decodeBody[T any](f frame) (T, error) {
	var body T
	if len(f.Body) == 0 {
		return body, breach("%s without a body", f.Kind)
	}
	if err := strict(f.Body, &body); err != nil {
		return body, breach("malformed %s: %v", f.Kind, err)
	}
	return body, nil
}

func rawBody(f frame) (json.RawMessage, error) {
	if len(f.Body) == 0 {
		return nil, breach("%s without a body", f.Kind)
	}
	return f.Body, nil
}
