//go:build linux

package local

import (
	"context"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/hosts"
)

// configRoots are where systemd's and kmod's folders of configuration files lie: of two files
// of one name the first counts.
var configRoots = []string{"/etc", "/run", "/usr/local/lib", "/usr/lib", "/lib"}

const (
	cloudInit      = "/usr/bin/cloud-init"
	cloudDisabled  = "/etc/cloud/cloud-init.disabled"
	cloudTemplates = "/etc/cloud/templates/hosts.*.tmpl"
)

// cloudConfigs are what cloud-init goes by at boot, the last to say something deciding: its own
// files, what was found out at this boot, what the cloud's vendor configured, and what the user did.
var cloudConfigs = []string{
	"/etc/cloud/cloud.cfg",
	"/etc/cloud/cloud.cfg.d/*.cfg",
	"/run/cloud-init/cloud.cfg",
	"/var/lib/cloud/instance/vendor-cloud-config.txt",
	"/var/lib/cloud/instance/vendor2-cloud-config.txt",
	"/var/lib/cloud/instance/cloud-config.txt",
}

// ufwSysctls is what ufw sets when it starts, which is after sysctl.d.
const ufwSysctls = "/etc/ufw/sysctl.conf"

// observeBoot reads what the next boot will do to what is asked for.
func (h *Host) observeBoot(ctx context.Context, query hosts.Query, facts *hosts.Facts) error {
	sysctls := h.configFiles("sysctl.d")
	if h.ufwEnabled() {
		sysctls = append(sysctls, h.readConfigs(ufwSysctls)...)
	}
	facts.Boot.Sysctls = hosts.BootSysctls(sysctls, query.Sysctls)
	loadable := slices.DeleteFunc(slices.Clone(query.Modules), h.isBuiltIn)
	facts.Boot.Barred = hosts.BarredModules(h.configFiles("modprobe.d"), loadable)
	if facts.Boot.HostsWriter = h.hostsWriter(); facts.Boot.HostsWriter != "" {
		facts.Boot.HostsNames = h.hostsNamesLost(query.Names)
	}
	for _, name := range []string{"firewalld", "ufw"} {
		unit, err := h.unitIfAny(ctx, name+".service")
		if err != nil {
			return err
		}
		if unit.Enabled == "enabled" && unit.Active != "active" && (name != "ufw" || h.ufwEnabled()) {
			facts.Boot.Firewall = name
		}
	}
	return nil
}

// configFiles reads the .conf files of one kind in the order in which a boot does: by name,
// whichever folder each lies in.
func (h *Host) configFiles(folder string) []hosts.ConfigFile {
	paths := map[string]string{}
	for _, root := range configRoots {
		for _, found := range h.glob(path.Join(root, folder, "*.conf")) {
			if _, known := paths[path.Base(found)]; !known {
				paths[path.Base(found)] = found
			}
		}
	}
	names := make([]string, 0, len(paths))
	for name := range paths {
		names = append(names, name)
	}
	slices.Sort(names)
	var files []hosts.ConfigFile
	for _, name := range names {
		files = append(files, h.readConfigs(paths[name])...)
	}
	return files
}

// hostsWriter is the file that has cloud-init write /etc/hosts at each boot; "" where none
// does, or cloud-init does not run.
func (h *Host) hostsWriter() string {
	if h.exists(cloudDisabled) || !h.exists(cloudInit) { // its configuration outlives it
		return ""
	}
	var names []string
	for _, pattern := range cloudConfigs {
		names = append(names, h.glob(pattern)...)
	}
	return hosts.WritesHosts(h.readConfigs(names...))
}

// hostsNamesLost are those of the names that cloud-init takes out of /etc/hosts at a boot. Who
// wants a line to stay writes it into the template as well.
func (h *Host) hostsNamesLost(names []string) []string {
	var now, then strings.Builder
	for _, file := range h.readConfigs(hostsFile) {
		for line := range strings.Lines(string(file.Content)) {
			if !strings.HasSuffix(strings.TrimSpace(line), hosts.HostsMark) {
				now.WriteString(line)
			}
		}
	}
	for _, file := range h.readConfigs(h.glob(cloudTemplates)...) {
		then.Write(append(file.Content, '\n'))
	}
	written, kept := parseHosts(now.String()), parseHosts(then.String())
	var lost []string
	for _, name := range names {
		name := strings.ToLower(name)
		if len(written[name]) > 0 && len(kept[name]) == 0 {
			lost = append(lost, name)
		}
	}
	return lost
}

// readConfigs reads files; one that cannot be read is one that a boot cannot read either.
func (h *Host) readConfigs(names ...string) []hosts.ConfigFile {
	var files []hosts.ConfigFile
	for _, name := range names {
		if content, err := os.ReadFile(h.at(name)); err == nil {
			files = append(files, hosts.ConfigFile{Path: name, Content: content})
		}
	}
	return files
}

// glob lists the host's paths of a pattern, sorted.
func (h *Host) glob(pattern string) []string {
	found, _ := filepath.Glob(h.at(pattern)) // the patterns are well formed
	for i, file := range found {
		found[i] = "/" + strings.TrimPrefix(strings.TrimPrefix(file, h.root), "/")
	}
	return found
}
