package agent

import (
	"bytes"
	"fmt"
	"sync"

	"golang.org/x/sync/semaphore"
)

// What hosts say is kept in memory, and a host may say anything: a few bytes of JSON may
// become a hundred in memory. What is ordinary is let be; what is more comes out of one
// budget that all hosts of this process share.
const (
	ordinaryMemory = 1 << 20   // of an answer, or of a frame that is still coming
	mostMemory     = 64 << 20  // of one answer
	sharedMemory   = 256 << 20 // of all hosts together, beyond the ordinary
)

var budget = semaphore.NewWeighted(sharedMemory)

// share is what one host has taken of the budget.
type share struct {
	mutex sync.Mutex
	held  int64
	over  bool
}

// atLeast makes room for so many bytes.
func (s *share) atLeast(bytes int64) error {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	more := bytes - ordinaryMemory - s.held
	if more <= 0 {
		return nil
	}
	if s.over || !budget.TryAcquire(more) {
		return fmt.Errorf("what all hosts say needs more memory than the %d MiB that they may take together", sharedMemory>>20)
	}
	s.held += more
	return nil
}

// giveBack gives back all.
func (s *share) giveBack() {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	budget.Release(s.held)
	s.held = 0
}

// end gives back all, for good.
func (s *share) end() {
	s.giveBack()
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.over = true
}

// What a part of an answer becomes at most: a struct in a map, with the map's own room and
// that of a list that grows; a string in a map; a byte of text.
const (
	openedMemory = 640
	commaMemory  = 160
	byteMemory   = 2
)

// memoryOf bounds what an answer becomes when it is decoded, and names its largest field.
func memoryOf(body []byte) (all int64, largest string) {
	var field string
	var most, this int64
	depth, began := 0, 0
	next := func(name string) {
		if this > most {
			most, largest = this, field
		}
		field, this = name, 0
	}
	add := func(n int64) { all, this = all+n, this+n }
	for at := 0; at < len(body); at++ {
		switch body[at] {
		case '{', '[':
			depth++
			add(openedMemory)
		case '}', ']':
			depth--
		case ',':
			add(commaMemory)
		case '"':
			began = at
			at = endOfString(body, at)
			add(int64(at-began) * byteMemory)
			if depth == 1 && at+1 < len(body) && body[at+1] == ':' {
				next(string(body[began+1 : at]))
			}
		}
	}
	next("")
	return all, largest
}

// endOfString is where the string that begins at a quotation mark ends.
func endOfString(body []byte, at int) int {
	for at++; at < len(body); at++ {
		next := bytes.IndexAny(body[at:], `"\\`)
		if next < 0 {
			break
		}
		if at += next; body[at] == '"' {
			return at
		}
		at++ // what is escaped
	}
	return len(body) - 1
}

// room makes room for an answer before it is decoded.
func (c *Client) room(body []byte) error {
	memory, largest := memoryOf(body)
	if memory > mostMemory {
		return fmt.Errorf("it is too large: it would need %d MiB of memory, most of it for %q, and an answer may need %d MiB",
			memory>>20, largest, mostMemory>>20)
	}
	return c.answers.atLeast(memory)
}
