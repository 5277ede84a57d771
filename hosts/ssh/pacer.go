package ssh

import (
	"io"
	"slices"
	"sync"
	"time"
)

// What is sent waits in the buffers on its way: the kernel's, a proxyCommand's, a router's. On a slow line
// what they take is half a minute's worth, and a sign of life that stands behind it comes too late: the host is
// taken for lost in the midst of an upload. So no more is sent than has been heard to arrive and a few seconds'
// worth beyond that. A global request is answered in its turn, after all that was sent before it.

const (
	// paceAhead is how much of what the line carries may be on its way, and half as much again by reckoning: what
	// else is done on the host waits that long for each of its answers. Less leaves a distant line idle.
	paceAhead = time.Second
	// paceSlow is the same of a line that does not carry two packets in that time: one alone leaves it idle until
	// it is answered. Signs of life have fifteen seconds.
	paceSlow = 2 * time.Second
	// paceLeast may always be on its way: the largest packet of SFTP.
	paceLeast = 256 << 10
	// paceMost is more than SSH itself lets be on its way, on lines that need no pacing.
	paceMost = 16 << 20
	// paceInterval is the least between two questions.
	paceInterval = 20 * time.Millisecond
	// paceSamples is of how many measurements the fastest counts: a line hesitates where it loses packets.
	paceSamples = 3
)

// pacer keeps what is on its way to a host short. The zero value has sent nothing.
type pacer struct {
	mu      sync.Mutex
	sent    int64   // bytes that were given to the line
	arrived int64   // of them, those that are known to have arrived
	window  int64   // how much may be on its way; 0: paceLeast
	rate    float64 // bytes that the line carries in a second; 0: not known yet
	rates   []float64
	told    time.Time // when the last answer came
	asking  bool
	asked   time.Time     // when the question was put that has no answer yet
	broken  bool          // nobody answers any more: whoever sends will hear of it
	news    chan struct{} // closed when more may be sent; nil where nobody waits
}

// paced gives what is read to the connection no faster than it carries it.
func (c *connection) paced(in io.Reader) io.Reader {
	return &pacedReader{in: in, pacer: &c.pacer, ask: c.ask}
}

// ask is answered once all that was sent before has arrived. That sshd knows no such request is an answer.
func (c *connection) ask() error {
	_, _, err := c.SendRequest("keepalive@openssh.com", true, nil)
	return err
}

type pacedReader struct {
	in    io.Reader
	pacer *pacer
	ask   func() error
}

func (r *pacedReader) Read(b []byte) (int, error) {
	r.pacer.admit(int64(len(b)))
	n, err := r.in.Read(b)
	if n > 0 {
		r.pacer.count(int64(n), r.ask)
	}
	return n, err
}

// admit waits until n bytes more may be on their way. One piece always may.
func (p *pacer) admit(n int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		wait, pause := p.full(n, time.Now())
		if !wait {
			return
		}
		if p.news == nil {
			p.news = make(chan struct{})
		}
		news := p.news
		p.mu.Unlock()
		timer := time.NewTimer(pause)
		select {
		case <-news:
		case <-timer.C:
		}
		timer.Stop()
		p.mu.Lock()
	}
}

// full tells whether n bytes more have to wait, and until when at most there is no use in looking again. Since the
// last answer the line has gone on: an answer comes only when all before it has arrived, and by then the line
// would be idle.
func (p *pacer) full(n int64, now time.Time) (wait bool, pause time.Duration) {
	const answer = time.Minute // comes before, or the connection ends
	window := max(p.window, paceLeast)
	over := p.sent - p.arrived + n - window
	if p.broken || p.sent == p.arrived || over <= 0 {
		return false, 0
	}
	if p.rate <= 0 || over > window/2 {
		return true, answer
	}
	carried := time.Duration(float64(over) / p.rate * float64(time.Second))
	if left := carried - now.Sub(p.told); left > 0 {
		return true, left
	}
	return false, 0
}

// count notes what goes out, and sees to it that its arrival is asked for.
func (p *pacer) count(n int64, ask func() error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sent += n
	if !p.asking && !p.broken {
		p.asking = true
		go p.follow(ask)
	}
}

// follow asks again and again until all that was sent has arrived.
func (p *pacer) follow(ask func() error) {
	// What is read is not on the line yet: whoever read it writes it next.
	for last := time.Now(); ; {
		time.Sleep(paceInterval)
		p.mu.Lock()
		mark := p.sent
		p.asked = time.Now()
		p.mu.Unlock()
		err := ask()
		now := time.Now()
		if !p.heard(mark, now.Sub(last), err) {
			return
		}
		last = now
	}
}

// heard takes in that all up to mark has arrived, the last of it within took; false where there is nothing more to
// ask for.
func (p *pacer) heard(mark int64, took time.Duration, err error) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err != nil {
		p.broken = true
	} else if came := mark - p.arrived; came > 0 {
		p.rates = append(p.rates, float64(came)/took.Seconds())
		p.rates = p.rates[max(0, len(p.rates)-paceSamples):]
		p.rate = slices.Max(p.rates)
		p.window = min(paceMost, max(int64(p.rate*paceAhead.Seconds()), min(2*paceLeast, int64(p.rate*paceSlow.Seconds()))))
		p.arrived, p.told = mark, time.Now()
	}
	if p.news != nil {
		close(p.news)
		p.news = nil
	}
	p.asking = !p.broken && p.sent > p.arrived
	return p.asking
}

// silence is for how long a question of the pacer's has had no answer; false where it has put none.
func (p *pacer) silence() (since time.Duration, asks bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.asking || p.asked.IsZero() {
		return 0, false
	}
	return time.Since(p.asked), true
}
