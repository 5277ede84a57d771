package tui

import (
	"cmp"
	"errors"
	"net/netip"
	"slices"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/workflow"
)

// add puts hosts into the file that are not there yet.
func (in *installer) add(found []listed) (added, twice int, err error) {
	var fresh []cluster.Host
	taken := in.namesBut("")
	known := in.candidates()
	var unnamed []string
	for _, one := range found {
		h := fromSSH(one.host, known)
		if in.has(h, fresh) {
			twice++
			continue
		}
		if !one.named {
			h.Name = freeName("node", taken)
			unnamed = append(unnamed, h.Name)
		}
		if slices.Contains(taken, h.Name) {
			twice++
			continue
		}
		taken = append(taken, h.Name)
		fresh = append(fresh, h)
	}
	all := append(slices.Clone(in.draft.Hosts), fresh...)
	guessRoles(all)
	fresh = all[len(in.draft.Hosts):]
	err = in.edit(func(e *cluster.Editor) error {
		var errs []error
		for _, h := range fresh {
			errs = append(errs, e.SetHost(h.Name, h))
		}
		return errors.Join(errs...)
	})
	for _, name := range unnamed {
		in.unnamed[name] = true
	}
	return len(fresh), twice, err
}

// has tells whether a host is there already, by its address or by how it is reached.
func (in *installer) has(h cluster.Host, fresh []cluster.Host) bool {
	return slices.ContainsFunc(append(slices.Clone(in.draft.Hosts), fresh...), func(other cluster.Host) bool {
		return h.Address() != "" && h.Address() == other.Address() || h.Address() == "" && h.SSH.Host != "" && h.SSH.Host == other.SSH.Host && cmp.Or(h.SSH.Port, 22) == cmp.Or(other.SSH.Port, 22)
	})
}

// candidates are the hosts that SSH's files name. What cannot be read names none.
func (in *installer) candidates() []workflow.Candidate {
	all, _ := workflow.Candidates() // the import's screen tells it
	return all
}

// fromSSH is a host with what ~/.ssh/config says of its name, where the list does not say it.
func fromSSH(h cluster.Host, known []workflow.Candidate) cluster.Host {
	for _, one := range known {
		if one.Name != h.Name && (one.Name != h.SSH.Host || h.SSH.Host == "") {
			continue
		}
		if h.SSH.Host == "" || h.SSH.Host == h.Name || h.SSH.Host == one.Name {
			if one.Host != h.Address() {
				h.SSH.Host = one.Host
			}
		}
		if h.SSH.Port == 0 {
			h.SSH.Port = one.Port
		}
		if h.SSH.User == "" {
			h.SSH.User = one.User
		}
		if h.SSH.IdentityFile == "" {
			h.SSH.IdentityFile = one.IdentityFile
		}
		if h.SSH.ProxyCommand == "" {
			h.SSH.ProxyCommand = one.ProxyCommand
		}
		break
	}
	if address, err := netip.ParseAddr(h.SSH.Host); err == nil && h.Address() == "" && h.SSH.ProxyCommand == "" {
		h.Addresses, h.SSH.Host = []string{address.String()}, ""
	}
	return h
}
