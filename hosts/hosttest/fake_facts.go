package hosttest

import (
	"context"
	"net/netip"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/slipway-k8s/slipway/hosts"
)

// Observe shows what the query asks for.
func (o *opened) Observe(ctx context.Context, query hosts.Query) (hosts.Facts, error) {
	if err := o.enter("observe"); err != nil {
		return hosts.Facts{}, err
	}
	defer o.calls.Done()
	if err := ctx.Err(); err != nil {
		return hosts.Facts{}, failure("observe", err)
	}
	f := o.machine
	if query.Traffic != nil {
		return hosts.Facts{Traffic: o.observeTraffic(ctx, *query.Traffic), Time: f.now().UTC()}, nil
	}
	f.mutex.Lock()
	defer f.mutex.Unlock()
	facts := f.base
	facts.Interfaces = f.interfaces()
	facts.Time = f.now().UTC()
	facts.Record = f.record.Clone()
	query = query.With(f.record)
	if f.holder != nil {
		lease := f.lease
		facts.Lease = &lease
	}
	f.observeKept(&facts)
	f.observeFiles(&facts, query)
	f.observeContents(&facts, slices.Concat(query.Contents, query.Secrets))
	f.observeSystem(&facts, query)
	f.observeProbes(&facts, query)
	facts.Conditions = f.conditions(query.Conditions)
	if query.Evidence {
		facts.Evidence = []hosts.Evidence{{Source: "fake machine", Lines: []string{"nothing is wrong"}}}
		facts.Signs = []hosts.Sign{{Source: "fake machine", State: hosts.StateRunning, Seconds: 1}}
	}
	return facts, nil
}

// interfaces are the links that there are, with their parameters as they were set.
func (f *Fake) interfaces() []hosts.Link {
	links := slices.Clone(f.base.Interfaces)
	for i, link := range links {
		if value, set := f.sysctls["net/ipv6/conf/"+link.Name+"/accept_ra"]; set {
			links[i].AcceptRA, _ = strconv.Atoi(value)
		}
	}
	return links
}

// Stick makes everything below a path never answer. An observation there says so at once, as a
// machine does after its timeout.
func (f *Fake) Stick(path string) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	f.stuck = path
}

// stuckAt is the first of the paths that does not answer; "" if all do.
func (f *Fake) stuckAt(paths ...string) string {
	for _, name := range paths {
		if f.stuck != "" && (name == f.stuck || strings.HasPrefix(name, f.stuck+"/")) {
			return name
		}
	}
	return ""
}

func (f *Fake) observeFiles(facts *hosts.Facts, query hosts.Query) {
	if at := f.stuckAt(slices.Concat(query.Paths, query.Trees, query.Entries)...); at != "" {
		facts.Unanswered = append(facts.Unanswered, hosts.Unanswered{What: "files", At: at, Seconds: 10})
		return
	}
	facts.Files = map[string]hosts.File{}
	for _, name := range query.Paths {
		f.observePath(facts, name)
	}
	for _, folder := range query.Entries {
		for _, name := range f.below(folder) {
			if path.Dir(name) == folder {
				f.observePath(facts, name)
			}
		}
	}
	for _, tree := range query.Trees {
		f.observePath(facts, tree)
		for _, name := range f.below(tree) {
			f.observePath(facts, name)
		}
	}
	facts.Certificates = map[string]hosts.Certificate{}
	for _, pair := range query.Certificates {
		if n := f.files[pair.Cert]; n != nil {
			facts.Certificates[pair.Cert] = f.certificate(n.content, pair.Key)
		}
	}
	facts.Kubeconfigs = map[string]hosts.Kubeconfig{}
	for _, name := range query.Kubeconfigs {
		if n := f.files[name]; n != nil {
			facts.Kubeconfigs[name] = f.kubeconfig(n.content)
		}
	}
}

func (f *Fake) observeContents(facts *hosts.Facts, names []string) {
	if at := f.stuckAt(names...); at != "" {
		facts.Unanswered = append(facts.Unanswered, hosts.Unanswered{What: hosts.LookContents, At: at, Seconds: 10})
		return
	}
	facts.Contents = map[string][]byte{}
	for _, name := range names {
		if n := f.files[name]; n != nil && n.Type == hosts.TypeFile {
			facts.Contents[name] = slices.Clone(n.content)
		}
	}
}

func (f *Fake) observePath(facts *hosts.Facts, name string) {
	if n := f.files[name]; n != nil {
		facts.Files[name] = n.File
	}
}

func (f *Fake) observeSystem(facts *hosts.Facts, query hosts.Query) {
	facts.Units = map[string]hosts.Unit{}
	for _, name := range query.Units {
		facts.Units[name] = f.unitFacts(name)
	}
	facts.Sysctls = pick(f.sysctls, query.Sysctls)
	facts.Images = pick(f.images, query.Images)
	facts.Names = pick(f.names, query.Names)
	facts.Modules = f.moduleFacts(query.Modules)
	facts.Listeners = map[int]string{}
	for _, port := range query.Ports {
		if who := f.listening(port); who != "" {
			facts.Listeners[port] = who
		}
	}
	facts.Links = matching(f.links, func(name string) bool { return hosts.MatchesLink(query.Links, name) })
	facts.Tables = matching(f.tables, func(name string) bool { return slices.Contains(query.Tables, name) })
	facts.Chains = matching(f.chains, func(name string) bool { return hosts.MatchesChain(query.Chains, name) })
}

// observeProbes shows what a machine finds only by trying, and only when asked.
func (f *Fake) observeProbes(facts *hosts.Facts, query hosts.Query) {
	if query.Sync == "" || f.files[path.Join(query.Sync, "member")] != nil {
		facts.Sync = 0
	}
	facts.Reach = nil
	for _, address := range query.Reach {
		if facts.Reach == nil {
			facts.Reach = map[string]string{}
		}
		facts.Reach[address] = f.whyUnreachable(address)
	}
	if f.base.RouteTo == nil { // unless Edit said otherwise, there is a default route
		facts.RouteTo = map[string]string{}
		for _, address := range query.RouteTo {
			facts.RouteTo[address] = "eth0"
		}
	}
	if query.VirtualIP == nil || f.ownUnit(query.VirtualIP.Unit) || f.hasAddress(query.VirtualIP.Address) {
		facts.VirtualIP = nil
		return
	}
	if facts.VirtualIP == nil {
		facts.VirtualIP = &hosts.VirtualIP{}
	}
	said := *facts.VirtualIP
	if said.Interface == "" {
		said.Interface = f.interfaceFor(*query.VirtualIP)
	}
	if said.Interface == "" {
		said = hosts.VirtualIP{}
	}
	facts.VirtualIP = &said
}

// whyUnreachable is what Edit has set for an address, else whether Serve offers it.
func (f *Fake) whyUnreachable(address string) string {
	if why, ok := f.base.Reach[address]; ok {
		return why
	}
	if f.listeners["tcp "+address] != nil {
		return ""
	}
	return "connection refused"
}

// ownUnit tells whether Slipway has put a unit's file there.
func (f *Fake) ownUnit(name string) bool {
	_, ours := f.record.OwnedAt("/etc/systemd/system/" + name)
	return ours
}

func (f *Fake) hasAddress(address string) bool {
	return slices.ContainsFunc(f.base.Interfaces, func(link hosts.Link) bool {
		return slices.ContainsFunc(link.Addresses, func(cidr string) bool { return strings.HasPrefix(cidr, address+"/") })
	})
}

// conditions are those that Edit has set, else those of a machine with which all is well.
func (f *Fake) conditions(query *hosts.ConditionsQuery) *hosts.Conditions {
	if query == nil {
		return nil
	}
	if f.base.Conditions != nil {
		return f.base.Conditions
	}
	well := &hosts.Conditions{TimeKeeper: "chrony.service", Localhost: []string{"127.0.0.1"}, Modules: map[string]bool{}, Mounts: map[string]hosts.Mount{}}
	for _, name := range query.Modules {
		well.Modules[name] = true
	}
	for _, place := range query.Places {
		well.Mounts[place] = hosts.Mount{At: "/", Type: "ext4"}
	}
	return well
}

// interfaceFor is the interface whose subnet holds a virtual address: of all, or the one named.
func (f *Fake) interfaceFor(query hosts.VirtualIPQuery) string {
	address, err := netip.ParseAddr(query.Address)
	if err != nil {
		return ""
	}
	for _, link := range f.base.Interfaces {
		for _, cidr := range link.Addresses {
			prefix, err := netip.ParsePrefix(cidr)
			named := query.Interface == "" || query.Interface == link.Name
			if err == nil && named && link.Up && link.Name != "lo" && prefix.Contains(address) {
				return link.Name
			}
		}
	}
	return ""
}

func pick[V any](all map[string]V, names []string) map[string]V {
	found := map[string]V{}
	for _, name := range names {
		if value, ok := all[name]; ok {
			found[name] = value
		}
	}
	return found
}

func matching(all []string, matches func(string) bool) []string {
	var found []string
	for _, name := range all {
		if matches(name) {
			found = append(found, name)
		}
	}
	return found
}

// certificate judges a certificate and the key beside it.
func (f *Fake) certificate(content []byte, keyFile string) hosts.Certificate {
	found := hosts.Certificate{PEM: slices.Clone(content)}
	if key := f.files[keyFile]; key != nil {
		found.KeyPresent = true
		found.KeyMatches = pairs(content, key.content)
	}
	return found
}

// kubeconfig judges a kubeconfig.
func (f *Fake) kubeconfig(content []byte) hosts.Kubeconfig {
	file, err := parseKubeconfig(content)
	if err != nil {
		return hosts.Kubeconfig{Invalid: err.Error()}
	}
	return file.Judge(f.follow, pairs)
}

// follow reads a file, through a link.
func (f *Fake) follow(name string) []byte {
	n := f.files[name]
	if n != nil && n.Type == hosts.TypeSymlink {
		n = f.files[n.Target]
	}
	if n == nil {
		return nil
	}
	return n.content
}

// known is what was computed once: tests observe many machines with the same files many times.
var known sync.Map

func once[T any](id string, compute func() T) T {
	if value, ok := known.Load(id); ok {
		return value.(T)
	}
	value := compute()
	known.Store(id, value)
	return value
}

// pairs is hosts.KeyMatches.
func pairs(cert, key []byte) bool {
	return once("pair "+string(cert)+"\x00"+string(key), func() bool { return hosts.KeyMatches(cert, key) })
}

// readKubeconfig is a kubeconfig, or why it cannot be read as one.
type readKubeconfig struct {
	file hosts.KubeconfigFile
	err  error
}

func parseKubeconfig(content []byte) (hosts.KubeconfigFile, error) {
	read := once("kubeconfig "+string(content), func() (read readKubeconfig) {
		read.file, read.err = hosts.ParseKubeconfig(content)
		return read
	})
	return read.file, read.err
}
