package workflow

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/slipway-k8s/slipway/certs"
	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases"
)

// How often a watch tells, looks and tries.
const (
	watchTell    = 200 * time.Millisecond // at least between two pictures
	watchLook    = 5 * time.Second        // between two looks at what nobody tells of by itself
	watchSeldom  = 12                     // of so many looks at a host one is at its certificates too; so it is with runs
	watchAgain   = time.Second            // before a host that does not answer is connected to again: at first
	watchLongest = 30 * time.Second       // the same, at last: it doubles
	watchRefused = 5 * time.Minute        // the same, where the host refuses the login: hosts ban who tries that often
	watchKeys    = 20 * time.Second       // for one control plane to give the cluster's keys
)

// Watch follows the hosts and the cluster until the context ends, and calls changed with what there is: at
// once, and then when something has changed, at most each 200 ms. changed is called by one goroutine at a
// time, should not block for long, and is not called after Watch has returned. What the API has watches for
// comes by those; all else is looked at every five seconds, and at once after Refresh. Hosts that do not
// answer are connected to again and again; those that refuse the login, or whose host key cannot be trusted, only
// every five minutes, and after Refresh. That nothing is there, or answers, is no error: the picture says
// so. Where this machine has no keys of the cluster, they are fetched from a control plane and kept, as every
// command does. Watch closes the connections that the session has; while it runs the session is for nothing else but
// Refresh. When it returns, with nil once the context has ended, all connections are closed. It may be
// called again.
func (s *Session) Watch(ctx context.Context, changed func(Picture)) error {
	s.closeClient()
	s.connections.close()
	s.arriving, s.keys = nil, nil
	clear(s.hosts)
	clear(s.down)
	clear(s.facts)
	ctx, cancel := context.WithCancel(ctx)
	w := &watch{Session: s, runs: runsOf(s.cluster.Name), edits: make(chan func()), watched: map[string]*watchedHost{}, details: map[string]HostDetails{}, read: map[string]keysRead{}}
	s.keysOf = w.keysOf
	defer func() { s.keysOf = nil }()
	for _, h := range s.cluster.Hosts {
		w.watched[h.Name] = newWatchedHost()
		w.details[h.Name] = HostDetails{Name: h.Name}
	}
	var group sync.WaitGroup
	for _, h := range s.cluster.Hosts {
		group.Go(func() { w.keep(ctx, h, w.watched[h.Name]) })
	}
	w.run(ctx, changed)
	cancel()
	w.leaveCluster()
	group.Wait()
	w.reading.Wait()
	clear(s.hosts) // they are closed
	return nil
}

// Refresh has Watch look at once at what it else looks at every five seconds, and connect at once to hosts
// that do not answer. It may be called at any time, by any goroutine.
func (s *Session) Refresh() {
	select {
	case s.refresh <- struct{}{}:
	default:
	}
}

// watch is a session that is followed. What was seen belongs to the one goroutine of run; others hand it
// edits.
type watch struct {
	*Session
	edits   chan func()
	watched map[string]*watchedHost
	details map[string]HostDetails
	cause   string // why the cluster's keys are not known
	runs    []RunSummary

	read    map[string]keysRead // what control planes have given when they were asked for the cluster's keys
	reads   string              // the control plane that is asked for them now; empty: none
	reading sync.WaitGroup

	// What follows is of the API, while there is a client.
	within context.Context    // of what follows the cluster
	leave  context.CancelFunc // ends that; nil while nothing does
	follow sync.WaitGroup
	shown  *hosts.Live // nil: nothing yet
	looks  bool        // somebody looks at members and health
	again  bool        // and once more when that is done
}

// edit has run change what was seen; it is not done where the context ends first.
func (w *watch) edit(ctx context.Context, change func()) {
	select {
	case w.edits <- change:
	case <-ctx.Done():
	}
}

// run takes edits and tells what comes of them, until the context ends.
func (w *watch) run(ctx context.Context, changed func(Picture)) {
	var told *Picture
	var last time.Time
	tell, look := time.NewTimer(0), time.NewTicker(watchLook)
	defer tell.Stop()
	defer look.Stop()
	for due, looks := true, 1; ctx.Err() == nil; {
		select {
		case <-ctx.Done():
			return
		case change := <-w.edits:
			change()
		case <-w.refresh:
			w.lookAtAll()
		case <-look.C:
			w.lookAtCluster()
			if looks++; looks%watchSeldom == 0 {
				w.runs = runsOf(w.cluster.Name)
			}
		case <-tell.C:
			due = false
			if now := w.picture(); told == nil || !reflect.DeepEqual(*told, now) {
				told, last = &now, time.Now()
				changed(now)
			}
			continue
		}
		if !due {
			due = true
			tell.Reset(max(0, watchTell-time.Since(last)))
		}
	}
}

// lookAtAll looks at once at what else has its time.
func (w *watch) lookAtAll() {
	for _, host := range w.watched {
		host.poke()
	}
	w.runs = runsOf(w.cluster.Name)
	w.lookAtCluster()
}

// keep connects to a host, looks at it again and again, and connects anew when that has failed.
func (w *watch) keep(ctx context.Context, h cluster.Host, at *watchedHost) {
	for wait := watchAgain; ctx.Err() == nil; wait = min(2*wait, watchLongest) {
		host, err := w.dial(ctx, h, func(string) {})
		if err == nil {
			at.set(host, nil)
			looked := false
			looked, err = w.lookAtHost(ctx, h, at)
			at.set(nil, err)
			if looked {
				wait = watchAgain
			}
		}
		next := wait
		if refuses(err) {
			next = watchRefused
		}
		w.edit(ctx, func() { w.away(h.Name, err, next) })
		if host != nil {
			_ = host.Close()
		}
		at.rest(ctx, next)
	}
}

// refuses tells whether a host, or what is known of its key, refuses who connects. Trying again soon helps
// nobody, and many hosts ban the address of who does.
func refuses(err error) bool {
	known, is := errors.AsType[*hosts.Error](err)
	if !is {
		return false
	}
	switch known.Kind {
	case hosts.KindAuth, hosts.KindHostKeyUnknown, hosts.KindHostKeyChanged, hosts.KindPrivilege:
		return true
	default:
		return false
	}
}

// lookAtHost looks at a host until that fails, and tells whether it ever did not.
func (w *watch) lookAtHost(ctx context.Context, h cluster.Host, at *watchedHost) (looked bool, err error) {
	few := hosts.Query{Units: w.statusUnits(h), Contents: []string{loadFile, memoryFile}}
	all, whole := few, phases.HostQuery(w.cluster, w.bill, h)
	all.Certificates, all.Kubeconfigs = whole.Certificates, whole.Kubeconfigs
	for n, poked := 0, false; ; n++ {
		query := few
		if n%watchSeldom == 0 || poked {
			query = all
		}
		facts, err := at.Observe(ctx, query)
		if err != nil {
			return looked, fmt.Errorf("observe %s: %w", h.Name, err)
		}
		looked = true
		w.edit(ctx, func() { w.saw(ctx, h.Name, facts) })
		if poked = at.rest(ctx, watchLook); ctx.Err() != nil {
			return looked, ctx.Err()
		}
	}
}

// away notes that a host does not answer, and when it is tried again.
func (w *watch) away(name string, err error, next time.Duration) {
	s, details := w.Session, w.details[name]
	if _, up := s.hosts[name]; up {
		details.Seen, details.Lease = s.seen[name], nil
	}
	details.Again = time.Now().Add(next)
	w.details[name] = details
	s.down[name] = err
	delete(s.hosts, name)
	delete(s.facts, name)
}

// saw notes what a host is like, which may show whose keys are meant.
func (w *watch) saw(ctx context.Context, name string, facts hosts.Facts) {
	s := w.Session
	_, up := s.hosts[name]
	s.hosts[name] = w.watched[name]
	delete(s.down, name)
	s.note(name, facts)
	w.details[name] = detailsOf(name, facts, w.details[name], time.Now())
	if !up {
		delete(w.read, name) // it may give its keys now
	}
	w.findCluster(ctx)
	if !up {
		w.lookAtCluster() // it has more to say
	}
}

// keysRead is what a control plane has given when it was asked for the cluster's keys, and when.
type keysRead struct {
	pki certs.PKI
	err error
	at  time.Time
}

// keysAwaited says that a control plane is being asked for the cluster's keys.
type keysAwaited struct{ host string }

func (e *keysAwaited) Error() string {
	return fmt.Sprintf("the cluster's keys are being read from %s", e.host)
}

// keysOf is what a control plane has given of late. Where that is nothing it is asked, one at a time and not
// for longer than watchKeys, by a goroutine of its own: the one that owns what was seen waits for no host.
func (w *watch) keysOf(ctx context.Context, h cluster.Host, host hosts.Host) (certs.PKI, error) {
	if got, is := w.read[h.Name]; is && time.Since(got.at) < watchLongest {
		return got.pki, got.err
	}
	if w.reads == "" {
		w.reads = h.Name
		w.reading.Go(func() {
			within, cancel := context.WithTimeoutCause(ctx, watchKeys, fmt.Errorf("no answer within %s", watchKeys))
			defer cancel()
			pki, err := w.readKeys(within, h, host)
			if err != nil && within.Err() != nil {
				err = &unreadKeys{h.Name, context.Cause(within)}
			}
			w.edit(ctx, func() { w.gave(ctx, h.Name, keysRead{pki, err, time.Now()}) })
		})
	}
	return certs.PKI{}, &keysAwaited{w.reads}
}

// gave notes what a control plane has given, and goes on with it.
func (w *watch) gave(ctx context.Context, name string, got keysRead) {
	w.reads = ""
	if w.api != nil {
		return
	}
	w.read[name] = got
	w.findCluster(ctx)
}

// findCluster finds the keys of the cluster, and follows it from then on. Where the hosts have come to
// say that they belong to another one, that one counts.
func (w *watch) findCluster(ctx context.Context) {
	s := w.Session
	if s.api != nil {
		claimed, err := s.claimed()
		if err == nil && (claimed == "" || claimed == s.keys.identity(s.cluster).ID) {
			return
		}
		w.leaveCluster()
	}
	if err := s.findKeys(ctx); err != nil {
		w.cause = err.Error()
		return
	}
	if !slices.ContainsFunc(s.cluster.ControlPlanes(), func(h cluster.Host) bool { return s.hosts[h.Name] != nil }) {
		w.cause = "no control plane answers"
		return
	}
	all := map[string]hosts.Host{}
	for name, host := range w.watched {
		all[name] = host
	}
	if err := s.openClientBy(all); err != nil {
		s.keys, w.cause = nil, err.Error()
		return
	}
	w.cause = ""
	clear(w.read) // keys are held in one place only
	within, leave := context.WithCancel(ctx)
	w.within, w.leave = within, leave
	client := s.api
	w.follow.Go(func() {
		client.Watch(within, func(live hosts.Live) { w.edit(within, func() { w.shown = &live }) })
	})
}

// leaveCluster ends what follows the cluster, and forgets what was seen of it.
func (w *watch) leaveCluster() {
	if w.leave != nil {
		w.leave()
		w.follow.Wait()
		w.leave = nil
	}
	w.closeClient()
	w.keys, w.shown, w.live = nil, nil, hosts.ClusterFacts{}
	w.looks, w.again = false, false
}

// lookAtCluster looks at etcd's members and the components' health, where the cluster is followed. Where
// that is being done it is done once more.
func (w *watch) lookAtCluster() {
	if w.api == nil || w.looks {
		w.again = w.looks
		return
	}
	client, within, asked := w.api, w.within, maps.Clone(w.hosts)
	w.looks, w.again = true, false
	w.follow.Go(func() {
		var members []hosts.Member
		var cause string
		var both sync.WaitGroup
		both.Go(func() { members, cause = client.Members(within) })
		health := client.Health(within)
		both.Wait()
		w.edit(within, func() {
			w.looks = false
			w.live.Members, w.live.MembersCause = members, cause
			w.live.Health = slices.DeleteFunc(health, func(one hosts.Health) bool { return asked[one.Host] == nil })
			if w.again {
				w.lookAtCluster()
			}
		})
	})
}

// picture is what there is now.
func (w *watch) picture() Picture {
	s, cause := w.Session, w.cause
	if s.api == nil && len(s.hosts) == 0 {
		cause = "no host answers"
	}
	if s.api == nil && len(s.hosts)+len(s.down) < len(s.cluster.Hosts) {
		cause = "waiting for the hosts" // what it is for can only be said when all have had their time
	}
	s.live.Reachable, s.live.Cause, s.live.Version, s.live.Nodes = false, "the API is being connected to", "", nil
	if w.shown != nil {
		s.live.Reachable, s.live.Cause, s.live.Version, s.live.Nodes = nodesOf(*w.shown)
	}
	p := Picture{Status: s.asStatus(cause), Runs: w.runs}
	p.Health = slices.DeleteFunc(slices.Clone(p.Health), func(one hosts.Health) bool {
		_, up := s.hosts[one.Host]
		return !up // the connection says why
	})
	for _, h := range s.cluster.Hosts {
		p.Details = append(p.Details, w.details[h.Name])
	}
	if w.shown != nil {
		p.Live = *w.shown
	}
	p.Status = cleanStatus(p.Status)
	return p
}

// nodesOf is what a status tells of what the watches show.
func nodesOf(live hosts.Live) (reachable bool, cause, version string, nodes []hosts.Node) {
	reachable, cause = live.Connected, live.Cause
	for _, lack := range live.Lacking {
		if lack.What == hosts.LackNodes && len(live.Nodes) == 0 {
			reachable, cause = false, lack.What+": "+lack.Why
		}
	}
	if !reachable {
		return false, cause, "", nil
	}
	for _, node := range live.Nodes {
		nodes = append(nodes, hosts.Node{
			Name: node.Name, Ready: node.Ready, Reason: node.Reason, Unschedulable: node.Cordoned, KubeletVersion: node.Version, CordonedBy: node.CordonedBy,
		})
	}
	return true, "", live.Version, nodes
}
