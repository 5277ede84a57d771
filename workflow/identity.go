package workflow

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/certs"
	"github.com/slipway-k8s/slipway/certs/store"
	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/checks"
)

// errNoKeys tells that this cluster's keys are neither on this machine nor on a host.
var errNoKeys = errors.New("no host that answers has noted such a cluster, or its keys are neither in the state folder nor on a control plane that answers; a cluster that is not there yet is made by: slipway init")

// A host's record says which cluster the host was made part of. Disk images and restored
// snapshots carry such records to where they do not belong, and a host may lie. So a record
// is a claim: held against what the operator's own file and state folder say.

// meant is the folder of the cluster that the file means: by its id or else by its name. It
// answers store.ErrNotFound where the state folder has none.
func (s *Session) meant(states *store.Store) (*store.Folder, error) {
	if s.cluster.ID != "" {
		return states.LoadID(s.cluster.ID)
	}
	return states.Load(s.cluster.Name)
}

// claims are the clusters that the observed hosts' records name, by their IDs, with the
// hosts in order: those of this name and, where the file has an id, those of this id. Records
// of other clusters are preflight's to refuse.
func (s *Session) claims() map[string][]string {
	found := map[string][]string{}
	for _, name := range slices.Sorted(maps.Keys(s.facts)) {
		record := s.facts[name].Record
		if record == nil || record.Cluster.ID == "" {
			continue
		}
		if id := record.Cluster.ID; record.Cluster.Name == s.cluster.Name || id == s.cluster.ID {
			found[id] = append(found[id], name)
		}
	}
	return found
}

// claimed is the one cluster that the hosts name, empty for none. It is refused where they
// name several, or another than the file's id.
func (s *Session) claimed() (string, error) {
	claims := s.claims()
	ids := slices.Sorted(maps.Keys(claims))
	switch {
	case len(ids) == 0:
		return "", nil
	case len(ids) == 1 && (s.cluster.ID == "" || s.cluster.ID == ids[0]):
		return ids[0], nil
	}
	var groups []string
	for _, id := range ids {
		groups = append(groups, fmt.Sprintf("%s to %s", strings.Join(claims[id], ", "), certs.ShortID(id)))
	}
	slices.Sort(groups)
	detail := fmt.Sprintf("the hosts of this file say that they belong to different clusters called %s: %s", s.cluster.Name, strings.Join(groups, "; "))
	if s.cluster.ID != "" {
		detail = fmt.Sprintf("the file says id: %s, but hosts say that they belong: %s", certs.ShortID(s.cluster.ID), strings.Join(groups, "; "))
	}
	return "", foreign(detail, "take the hosts of other clusters out of the file, or reset them with their own cluster file")
}

// notMeant refuses a cluster that hosts claim to belong to and that this machine knows
// otherwise.
func (s *Session) notMeant(id, otherwise string) error {
	return foreign(
		fmt.Sprintf("%s to the cluster %s with the id %s, but %s", s.claimants(id), s.cluster.Name, certs.ShortID(id), otherwise),
		fmt.Sprintf("if that cluster is meant, write into the cluster file: id: %s; if the record came to the host with a disk image or snapshot, install the host anew", id))
}

// proven tells whether the hosts' records prove that the cluster of the file is this one, so that its
// keys may be read from them; the error says why not. One host among several may have been copied from another cluster's.
func (s *Session) proven(id string) error {
	if s.cluster.ID == id {
		return nil
	}
	planes := s.cluster.ControlPlanes()
	say := 0
	for _, h := range planes {
		if belongs(h, s.facts[h.Name], id) {
			say++
		}
	}
	if 2*say > len(planes) {
		return nil
	}
	return unproven(fmt.Sprintf("this machine does not know the cluster %s with the id %s; %s to it, but only %d of the file's %d control planes, and that is no proof: "+
		"bring the others up or, if that cluster is meant, write into the cluster file: id: %s",
		s.cluster.Name, certs.ShortID(id), s.claimants(id), say, len(planes), id))
}

// unproven is why the keys of a cluster are not read from hosts. Whoever looks for keys finds none, but
// the advice of errNoKeys, to make the cluster by init, would be wrong here.
type unproven string

func (e unproven) Error() string { return string(e) }

func (e unproven) Unwrap() error { return errNoKeys }

// claimants says which hosts say that they belong to a cluster.
func (s *Session) claimants(id string) string {
	names := s.claims()[id]
	if len(names) == 1 {
		return names[0] + " says that it belongs"
	}
	return strings.Join(names, ", ") + " say that they belong"
}

// belongs tells whether a host's record names the cluster, and was written on this machine
// for this host.
func belongs(h cluster.Host, facts hosts.Facts, id string) bool {
	return facts.Record != nil && facts.Record.Cluster.ID == id && checks.WrongMachine(h, facts) == ""
}

func foreign(detail, fix string) error {
	return &checks.Refused{Findings: []checks.Finding{{
		Check: "Membership", Severity: checks.Error, Seen: detail, Fix: fix,
	}}}
}
