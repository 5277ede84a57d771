//go:build vm

package e2e

import (
	"slices"
	"strings"
	"testing"
)

// look shows a machine as a whole: every file with its owner, mode, label and what is in it, the
// firewall, modules, units, kernel settings, swap, links, mounts and control groups. A reset has to
// bring a machine back to what it looked like before. Left out are places that change by themselves.
const look = `
export LC_ALL=C
find / -xdev \( -path /proc -o -path /sys -o -path /run -o -path /tmp -o -path /var/tmp -o -path /var/log -o -path /var/cache \
     -o -path /var/lib/systemd -o -path /root/.cache -o -path /dev \) -prune -o -printf 'file %p %y %m %U:%G %l\n' | sort
find /etc /usr/local /opt /root /boot /var/spool /var/lib/ufw -xdev -type f -print0 2>/dev/null | sort -z | xargs -0 -r sha256sum | sed 's/^/content /'
lsmod | tail -n +2 | awk '{print "module " $1}' | sort
systemctl list-unit-files --no-legend --no-pager | awk '{print "unit-file " $1 " " $2}' | sort
systemctl list-units --all --no-legend --no-pager --plain --type=service,socket,swap,timer,slice,mount | awk '{print "unit " $1 " " $3 " " $4}' | grep -v -e session- -e user@ -e user-runtime -e run-user -e user- | sort
nft -s list ruleset 2>/dev/null | sed -e 's/^/nft /' -e 's/counter packets [0-9]* bytes [0-9]*/counter/'
for save in iptables-save ip6tables-save; do $save 2>/dev/null | grep -v '^#' | sed -e 's/\[[0-9:]*\]//' -e "s/^/$save /"; done
sysctl -a 2>/dev/null | grep -E '^(net\.(ipv4|ipv6|bridge|netfilter)|vm|kernel\.(panic|keys)|fs\.inotify)' | grep -vE 'netdev_|stat-refresh|nf_conntrack_(count|max|buckets|expect_max)|dev_snmp|random|neigh\.|conf\.|tcp_mem|udp_mem|tcp_fastopen_key|nr_hugepages' | sed 's/^/sysctl /' | sort
swapon --show=NAME,SIZE --noheadings | sed 's/^/swap /' | sort
ip -o link | awk '{print "link " $2}' | sort
findmnt -rn -o TARGET,FSTYPE | grep -vE '^/(run/user|proc/sys/fs/binfmt_misc)' | sed 's/^/mount /' | sort
find /sys/fs/cgroup -maxdepth 1 -type d -printf 'cgroup %f\n' | sort
ls -Z -d /etc /opt /var/lib /usr/local/bin 2>/dev/null | sed 's/^/label /'
semodule -l 2>/dev/null | sed 's/^/selinux-module /'
`

// stays are what a machine may keep, each for the reason beside it.
var stays = []struct{ line, why string }{
	{"file /var/lib/private ", "systemd makes it for units with DynamicUser"},
	{"file /etc/ssl/certs", "ca-certificates' own"},
}

// loads are modules that Slipway loads itself, and so takes away again.
var loads = []string{"overlay", "br_netfilter"}

// loadedByKernel tells a module that the kernel has loaded by itself, when somebody made a link or a rule of that kind.
// Whoever else does so since relies on it, which its count of users need not show; the next boot is without it.
func loadedByKernel(line string) bool {
	module, is := strings.CutPrefix(line, "+ module ")
	return is && !slices.Contains(loads, module)
}

// looksAs gives what has changed on a machine since it was looked at, as lines with - and +.
func looksAs(l *lab, host, before string) (changed []string) {
	l.t.Helper()
	was, is := strings.Split(before, "\n"), strings.Split(l.exec(host, "sh", "-c", look), "\n")
	for _, line := range was {
		if !slices.Contains(is, line) {
			changed = append(changed, "- "+line)
		}
	}
	for _, line := range is {
		if !slices.Contains(was, line) {
			changed = append(changed, "+ "+line)
		}
	}
	return slices.DeleteFunc(changed, func(line string) bool {
		return slices.ContainsFunc(stays, func(s struct{ line, why string }) bool { return strings.HasPrefix(line[2:], s.line) })
	})
}

// wantUnchanged wants a machine to look as it did, but for what lasts until the next boot alone.
func wantUnchanged(t *testing.T, l *lab, host, before string) {
	t.Helper()
	wantNone(t, host, slices.DeleteFunc(looksAs(l, host, before), loadedByKernel))
}

// wantUnchangedByBoot has a machine boot, and wants it to look just as it did.
func wantUnchangedByBoot(t *testing.T, l *lab, host, before string) {
	t.Helper()
	l.reboots(host)
	wantNone(t, host, looksAs(l, host, before))
}

func wantNone(t *testing.T, host string, changed []string) {
	t.Helper()
	if len(changed) > 0 {
		t.Errorf("%s does not look as before:\n%s", host, strings.Join(changed[:min(len(changed), 60)], "\n"))
	}
}

// wantOn wants a script on a host to print something.
func wantOn(t *testing.T, l *lab, host, what, script, want string) {
	t.Helper()
	if got := strings.TrimSpace(l.exec(host, "sh", "-c", script)); got != want {
		t.Errorf("%s on %s: want %q, got %q", what, host, want, got)
	}
}
