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
		h := one.host
		if !one.whole {
			h = fromSSH(h, known)
		}
		h = addressed(h)
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
		if len(in.draft.Hosts) == 0 {
			errs = append(errs, setShared(e, fresh))
		}
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

// setShared writes what all hosts say of SSH once, for all of them: a file is read more often than it is written.
func setShared(e *cluster.Editor, hosts []cluster.Host) error {
	if len(hosts) < 2 {
		return nil
	}
	all := hosts[0].SSH
	for _, h := range hosts[1:] {
		same(&all.User, h.SSH.User)
		same(&all.Port, h.SSH.Port)
		same(&all.IdentityFile, h.SSH.IdentityFile)
		same(&all.KnownHostsFile, h.SSH.KnownHostsFile)
		same(&all.ProxyCommand, h.SSH.ProxyCommand)
	}
	return errors.Join(setText(e, "ssh.user", all.User, ""), setNumber(e, "ssh.port", all.Port, 0), setText(e, "ssh.identityFile", all.IdentityFile, ""),
		setText(e, "ssh.knownHostsFile", all.KnownHostsFile, ""), setText(e, "ssh.proxyCommand", all.ProxyCommand, ""))
}

// same leaves a value that another one is equal to, and else none.
func same[T comparable](value *T, other T) {
	if *value != other {
		var none T
		*value = none
	}
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
	return h
}

// addressed is a host that is reached at an address: the other hosts reach it there as well, unless a proxyCommand
// stands between.
func addressed(h cluster.Host) cluster.Host {
	if address, err := netip.ParseAddr(h.SSH.Host); err == nil && !address.IsLoopback() && h.Address() == "" && h.SSH.ProxyCommand == "" {
		h.Addresses, h.SSH.Host = []string{address.String()}, ""
	}
	return h
}
