package ssh

import (
	"context"
	"fmt"
	"sync"
	"time"
)

const (
	// loginsAtOnce is how many hosts are logged in to by one way in at the same time, a
	// proxyCommand's or one sshd's. sshd turns away some of those that come while ten are
	// logging in (MaxStartups 10:30:100), and others want to log in as well.
	loginsAtOnce = 8
	// loginPatience is how long a login keeps its turn when nothing is heard of the host: it
	// may be the host that is away, and not the way to it that is busy.
	loginPatience = 5 * time.Second
	// busyPatience is how long those who are turned away go on trying while others are let in.
	busyPatience = 3 * time.Minute
)

// wayIn is an sshd that logins come to first. How many come at the same time follows what it lets in: half
// of them when it has turned one away, and one more when it has let in as many as may come at once at most.
type wayIn struct {
	mutex   sync.Mutex
	most    int // may be logging in
	now     int // are
	waiting []chan struct{}
	row     int // logins that were let in, one after another
	in      int // all of them
}

// entrance names the sshd that a login comes to first, the same for all who come to it, and says what they do.
func (o Options) entrance() (name, said string) {
	if o.ProxyCommand != "" {
		return o.ProxyCommand, "go through the proxyCommand"
	}
	return o.address(), "go to " + o.address()
}

// turn is a login's turn at a way in; nil where there is no Gate.
type turn struct {
	way   *wayIn
	in    int // logins that were let in when the first try of this one began
	began time.Time
	leave func()
}

// login waits for a turn to log in by a way in. again is the turn of the last try.
func (g *Gate) login(ctx context.Context, o Options, again *turn) (*turn, error) {
	if g == nil {
		return nil, ctx.Err()
	}
	name, said := o.entrance()
	g.mutex.Lock()
	way := g.logins[name]
	if way == nil {
		way = &wayIn{most: loginsAtOnce}
		g.logins[name] = way
	}
	g.mutex.Unlock()
	in, err := way.enter(ctx, func(most int) {
		o.tell(fmt.Sprintf("waiting for a turn to log in: %d at a time %s", most, said))
	})
	if err != nil {
		return nil, err
	}
	leave := sync.OnceFunc(way.leave)
	giveUp := time.AfterFunc(loginPatience, leave)
	t := &turn{way: way, in: in, began: time.Now(), leave: func() { giveUp.Stop(); leave() }}
	if again != nil {
		t.began = again.began
	}
	return t, nil
}

// over ends the turn of a login that was let in, or turned away, or neither. It tells whether another one was let in
// meanwhile: then it is not in vain to come again.
func (t *turn) over(letIn, turnedAway bool) (others bool) {
	if t == nil {
		return false
	}
	moved := t.way.note(letIn, turnedAway) > t.in
	t.leave()
	return moved && time.Since(t.began) < busyPatience
}

// enter waits for a place, and tells how many were let in so far. full is called where there is none at once.
func (w *wayIn) enter(ctx context.Context, full func(most int)) (in int, err error) {
	w.mutex.Lock()
	if w.now < w.most {
		w.now++
		defer w.mutex.Unlock()
		return w.in, nil
	}
	free, most := make(chan struct{}), w.most
	in = w.in
	w.waiting = append(w.waiting, free)
	w.mutex.Unlock()
	full(most)
	select {
	case <-free:
		return in, nil
	case <-ctx.Done():
	}
	w.mutex.Lock()
	defer w.mutex.Unlock()
	for i, other := range w.waiting {
		if other == free {
			w.waiting = append(w.waiting[:i], w.waiting[i+1:]...)
			return 0, ctx.Err()
		}
	}
	w.now-- // it was given the place just now
	w.next()
	return 0, ctx.Err()
}

func (w *wayIn) leave() {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	w.now--
	w.next()
}

// next gives free places to those who wait, the first one first.
func (w *wayIn) next() {
	for w.now < w.most && len(w.waiting) > 0 {
		close(w.waiting[0])
		w.waiting = w.waiting[1:]
		w.now++
	}
}

// note counts how a login ended, and gives how many were let in besides.
func (w *wayIn) note(letIn, turnedAway bool) (in int) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	in = w.in
	switch {
	case turnedAway:
		w.most, w.row = max(1, w.most/2), 0
	case letIn:
		w.in++
		if w.row++; w.row >= loginsAtOnce {
			w.most, w.row = min(w.most+1, loginsAtOnce), 0
			w.next()
		}
	}
	return in
}
