//go:build linux

package local

import (
	"context"
	"errors"
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

// cloudSettings are what cloud-init goes by at boot: its own files, and what the cloud and the
// user's data said, merged by it.
const (
	cloudInit     = "/usr/bin/cloud-init"
	cloudConfig   = "/etc/cloud/cloud.cfg"
	cloudConfigs  = "/etc/cloud/cloud.cfg.d/*.cfg"
	cloudMerged   = "/var/lib/cloud/instance/cloud-config.txt"
	cloudDisabled = "/etc/cloud/cloud-init.disabled"
)

// ufwSysctls is what ufw sets when it starts, which is after sysctl.d.
const ufwSysctls = "/etc/ufw/sysctl.conf"

// seeBoot reads what the next boot will do to what is asked for.
func (h *Host) seeBoot(query hosts.Query) func(context.Context, *hosts.Facts) error {
	return func(ctx context.Context, facts *hosts.Facts) error {
		sysctls := h.configFiles("sysctl.d")
		if h.ufwEnabled() {
			sysctls = append(sysctls, h.readConfigs(ufwSysctls)...)
		}
		facts.Boot.Sysctls = hosts.BootSysctls(sysctls, query.Sysctls)
		loadable := slices.DeleteFunc(slices.Clone(query.Modules), h.isBuiltIn)
		facts.Boot.Barred = hosts.BarredModules(h.configFiles("modprobe.d"), loadable)
		facts.Boot.HostsWriter = h.hostsWriter()
		for _, name := range []string{"firewalld", "ufw"} {
			unit, err := h.systemd.Unit(ctx, name+".service")
			if errors.Is(err, errNoSystemd) {
				return nil
			}
			if err != nil {
				return err
			}
			if unit.Enabled == "enabled" && unit.Active != "active" && (name != "ufw" || h.ufwEnabled()) {
				facts.Boot.Firewall = name
			}
		}
		return nil
	}
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
	_, missing := os.Stat(h.at(cloudInit)) // its configuration outlives it
	if _, err := os.Stat(h.at(cloudDisabled)); err == nil || missing != nil {
		return ""
	}
	names := slices.Concat([]string{cloudConfig}, h.glob(cloudConfigs), []string{cloudMerged})
	return hosts.WritesHosts(h.readConfigs(names...))
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
