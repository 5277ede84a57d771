package agent

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"
)

// What hosts say is kept in memory, and a host may say anything: a few bytes of JSON may
// become a hundred in memory. What is ordinary is let be; what is more comes out of one
// budget that all hosts of this process share.
const (
	ordinaryMemory = 1 << 20   // of an answer, or of a host's lines that are still coming
	mostMemory     = 64 << 20  // of one answer
	sharedMemory   = 256 << 20 // of all hosts together, beyond the ordinary

	// roomPatience is how long a host waits for what others have taken: those that decode give
	// back most of it in a moment.
	roomPatience = 5 * time.Second
)

var budget = semaphore.NewWeighted(sharedMemory)

// Why there is no room for what a host says.
var (
	errNoRoom = fmt.Errorf("what all hosts say needs more memory than the %d MiB that they may take together, and not enough became free within %s",
		sharedMemory>>20, roomPatience)
	errOver = errors.New("the session has ended")
)

// fixNoRoom is what to do then: what hosts say is kept while they are connected.
const fixNoRoom = "run the same command again; where it ends like this again, name fewer hosts at a time, and see why these have so much of it"

// share is what one host has taken of the budget.
type share struct {
	over <-chan struct{} // closed when the host's session has ended: nobody waits any longer

	mutex   sync.Mutex
	lines   int64 // bytes of lines that are still coming
	forLine int64 // taken for these
	kept    int64 // taken for what was decoded, until the session ends
	ended   bool
}

// acquire waits for so many bytes of the budget, for a while.
func (s *share) acquire(ctx context.Context, bytes int64) error {
	if bytes <= 0 || budget.TryAcquire(bytes) {
		return nil
	}
	waiting, enough := context.WithTimeout(ctx, roomPatience)
	defer enough()
	go func() {
		select {
		case <-s.over:
			enough()
		case <-waiting.Done():
		}
	}()
	if budget.Acquire(waiting, bytes) == nil {
		return nil
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case <-s.over:
		return errOver
	default:
		return errNoRoom
	}
}

// take makes room for so many bytes more of lines that are coming, until they are given back.
func (s *share) take(bytes int64) error {
	s.mutex.Lock()
	s.lines += bytes
	more := max(s.lines-ordinaryMemory-s.forLine, 0)
	s.forLine += more
	s.mutex.Unlock()
	err := s.acquire(context.Background(), more)
	if err != nil {
		s.mutex.Lock()
		s.lines, s.forLine = s.lines-bytes, s.forLine-more
		s.mutex.Unlock()
	}
	return err
}

// giveBack gives back what was taken for a line.
func (s *share) giveBack(bytes int64) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.lines -= bytes
	if less := s.forLine - max(s.lines-ordinaryMemory, 0); less > 0 {
		s.forLine -= less
		budget.Release(less)
	}
}

// whileDecoding makes room for what an answer may become. done is told what it did become: that
// stays taken until the session ends, since whoever asked may keep it. Of several answers the
// largest counts.
func (s *share) whileDecoding(ctx context.Context, bytes int64) (done func(became int64), err error) {
	room := max(bytes-ordinaryMemory, 0)
	if err := s.acquire(ctx, room); err != nil {
		return nil, err
	}
	return func(became int64) {
		s.mutex.Lock()
		defer s.mutex.Unlock()
		stays := min(max(became-ordinaryMemory-s.kept, 0), room)
		if s.ended {
			stays = 0
		}
		s.kept += stays
		budget.Release(room - stays)
	}, nil
}

// end gives back what was kept, for good.
func (s *share) end() {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.ended = true
	budget.Release(s.kept)
	s.kept = 0
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

// sizeOf is what a decoded value takes beside its own place: text, lists, maps and what it
// points to.
func sizeOf(v reflect.Value) int64 {
	var size int64
	switch kind := v.Kind(); {
	case kind == reflect.String:
		size = int64(v.Len())
	case kind == reflect.Pointer && !v.IsNil():
		size = int64(v.Elem().Type().Size()) + sizeOf(v.Elem())
	case kind == reflect.Struct:
		for i := range v.NumField() {
			size += sizeOf(v.Field(i))
		}
	case kind == reflect.Slice:
		size = int64(v.Cap()) * int64(v.Type().Elem().Size())
		if v.Type().Elem().Kind() == reflect.Uint8 {
			break
		}
		for i := range v.Len() {
			size += sizeOf(v.Index(i))
		}
	case kind == reflect.Map:
		// A map has room for others: at most three times as many.
		size = 3 * int64(v.Len()) * int64(v.Type().Key().Size()+v.Type().Elem().Size()+1)
		for entry := v.MapRange(); entry.Next(); {
			size += sizeOf(entry.Key()) + sizeOf(entry.Value())
		}
	}
	return size
}

// decode decodes an answer, with room for what it becomes.
func (c *Client) decode(ctx context.Context, body []byte, into any) error {
	memory, largest := memoryOf(body)
	if memory > mostMemory {
		return fmt.Errorf("it is too large: it would need %d MiB of memory, most of it for %q, and an answer may need %d MiB",
			memory>>20, largest, mostMemory>>20)
	}
	done, err := c.memory.whileDecoding(ctx, memory)
	if err != nil {
		return fmt.Errorf("it needs %d MiB, most of it for %q: %w", memory>>20, largest, err)
	}
	if err := strict(body, into); err != nil {
		done(0)
		return err
	}
	done(sizeOf(reflect.ValueOf(into)))
	return nil
}
