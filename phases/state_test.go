package phases

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
)

// state writes all that lies on the machines and in the API, so that two ends can be compared.
func (w *world) state() string {
	w.settle()
	var b strings.Builder
	for _, host := range w.cluster.Hosts {
		b.WriteString(w.machine(host.Name))
	}
	for _, line := range sortedLines(w.objects, func(key hosts.ObjectKey) string { return key.String() + string(w.objects[key]) }) {
		fmt.Fprintln(&b, line)
	}
	for _, name := range slices.Sorted(maps.Keys(w.nodes)) {
		node := w.nodes[name]
		slices.Sort(node.Taints)
		fmt.Fprintf(&b, "node %s %v %v %v\n", name, node.Ready, node.Labels, node.Taints)
	}
	return b.String()
}

// machine writes all that is on one machine.
func (w *world) machine(name string) string {
	var b strings.Builder
	machine, wanted := w.machines[name], manifests.Skeleton(w.cluster, w.bill, testPlane(1))
	facts := w.look(name, hosts.Query{
		Paths: machine.Paths(), Units: []string{manifests.ContainerdUnit, manifests.KubeletUnit},
		Sysctls: sortedKeys(wanted.Sysctls), Modules: wanted.Modules, Images: wanted.References(),
	})
	for _, path := range slices.Sorted(maps.Keys(facts.Files)) {
		fmt.Fprintf(&b, "%s %s %+v\n", name, path, facts.Files[path])
	}
	fmt.Fprintf(&b, "%s %v %v %v %v %v %s\n", name, facts.Units, facts.Sysctls, facts.Modules, facts.Images, facts.Swaps, facts.Hostname)
	if record := machine.Record(); record != nil {
		fmt.Fprintf(&b, "%s has the units %q\n", name, slices.Sorted(slices.Values(record.Units)))
		fmt.Fprintf(&b, "%s has the images %q, from the bundle %v\n", name, slices.Sorted(slices.Values(record.Images)), record.Bundled)
		for _, owned := range slices.SortedFunc(slices.Values(record.Paths), func(a, b hosts.Owned) int { return strings.Compare(a.Path, b.Path) }) {
			fmt.Fprintf(&b, "%s owns %+v\n", name, owned)
		}
		for _, prior := range slices.SortedFunc(slices.Values(record.Priors), func(a, b hosts.Prior) int { return strings.Compare(a.Setting, b.Setting) }) {
			fmt.Fprintf(&b, "%s remembers %+v\n", name, prior)
		}
	}
	return b.String()
}

func sortedLines[K comparable, V any](m map[K]V, line func(K) string) []string {
	var lines []string
	for key := range m {
		lines = append(lines, line(key))
	}
	slices.Sort(lines)
	return lines
}

// difference lists the lines that only one of two states has.
func difference(want, got string) string {
	var b strings.Builder
	wanted, found := strings.Split(want, "\n"), strings.Split(got, "\n")
	for _, line := range wanted {
		if !slices.Contains(found, line) {
			fmt.Fprintln(&b, "-", line)
		}
	}
	for _, line := range found {
		if !slices.Contains(wanted, line) {
			fmt.Fprintln(&b, "+", line)
		}
	}
	return b.String()
}

// reconnect is what a new run does: secrets that were uploaded before are gone.
func (w *world) reconnect() {
	w.t.Helper()
	for name, host := range w.open {
		if err := host.Close(); err != nil {
			w.t.Fatal(err)
		}
		w.open[name] = w.machines[name].Host()
	}
}

// act does something on a machine past every plan.
func (w *world) act(name string, action hosts.Action) {
	w.t.Helper()
	outcome, err := w.open[name].Do(context.Background(), action, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	w.follow(name, action, outcome)
	w.stale = true
}

// add puts one more worker into the file, on a bare machine.
func (w *world) add(i int) cluster.Host {
	w.t.Helper()
	host := testWorker(i)
	w.cluster.Hosts = append(w.cluster.Hosts, host)
	w.boot(host)
	return host
}
