package ssh

import (
	"cmp"
	"fmt"
	"strings"
)

// byHand is what to type to reach the host with ssh as Slipway does: the name that ssh's own configuration knows, and
// what the cluster file says besides. flags are ssh's own; run is what is run on the host, which may be nothing.
func (o Options) byHand(flags, run string) string {
	line := "ssh"
	if flags != "" {
		line += " " + flags
	}
	line += o.wayByHand(o.firstKey(false))
	if run != "" {
		line += " " + run
	}
	return line
}

// copyKey is what to type to have the host let the key in that it is to be reached with.
func (o Options) copyKey() string { return "ssh-copy-id" + o.wayByHand(o.firstKey(true)) }

// firstKey is the key that was named first: in the cluster file or, where ssh would not look there by itself, in the
// configuration of ssh.
func (o Options) firstKey(anywhere bool) string {
	if o.IdentityFile != "" {
		return o.IdentityFile
	}
	named := o.IdentityFiles
	if len(named) == 0 && anywhere {
		named = o.identityFiles
	}
	if len(named) == 0 {
		return ""
	}
	return named[0]
}

// wayByHand are the words of ssh and ssh-copy-id alike.
func (o Options) wayByHand(key string) string {
	var b strings.Builder
	fmt.Fprintf(&b, " -p %d", o.Port)
	if o.ConfigFile != "" {
		fmt.Fprintf(&b, " -F %s", word(atHome(o.ConfigFile)))
	}
	if key != "" {
		fmt.Fprintf(&b, " -i %s", word(atHome(key)))
	}
	if o.KnownHostsFile != "" {
		fmt.Fprintf(&b, " -o %s", word("UserKnownHostsFile="+atHome(o.KnownHostsFile)))
	}
	switch {
	case len(o.Jump) > 0:
		hops := make([]string, 0, len(o.Jump))
		for _, hop := range o.Jump {
			hops = append(hops, hop.String())
		}
		fmt.Fprintf(&b, " -o %s", word("ProxyJump="+strings.Join(hops, ",")))
	case o.ProxyCommand != "":
		fmt.Fprintf(&b, " -o %s", word("ProxyCommand="+o.ProxyCommand))
	}
	return b.String() + " " + word(o.User+"@"+cmp.Or(o.typed, o.Host))
}
