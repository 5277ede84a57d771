package hosts

import (
	"path"
	"strings"
)

// Boot is what a host's files say about its next boot: they may undo what was set by hand or by
// Slipway.
type Boot struct {
	// Sysctls are what the files of sysctl.d set last, by the parameters asked for.
	Sysctls map[string]BootSetting `json:"sysctls,omitempty"`
	// Barred are the kernel modules asked for that modprobe.d keeps from being loaded.
	Barred map[string]BarredModule `json:"barred,omitempty"`
	// HostsWriter is the file by which cloud-init is told to write /etc/hosts anew at each
	// boot; empty where it is not.
	HostsWriter string `json:"hostsWriter,omitempty"`
	// HostsNames are the names asked for that such a boot loses: /etc/hosts has them in lines that
	// are not Slipway's, and what cloud-init writes in its place does not have them.
	HostsNames []string `json:"hostsNames,omitempty"`
	// Firewall is one that is enabled and does not run now: firewalld, ufw, or empty.
	Firewall string `json:"firewall,omitempty"`
}

// BootSetting is a value and the file that sets it.
type BootSetting struct {
	Value string `json:"value"`
	File  string `json:"file"`
}

// BarredModule is a kernel module that a file of modprobe.d keeps from being loaded: at boot and
// by its aliases (blacklist), or, where Always, in any way (install … /bin/false).
type BarredModule struct {
	File   string `json:"file"`
	Always bool   `json:"always,omitempty"`
}

// ConfigFile is one of the files that a boot reads in turn.
type ConfigFile struct {
	Path    string
	Content []byte
}

// BootSysctls finds what files, in the order in which systemd-sysctl reads them, make of
// kernel parameters. The last to name one decides; a pattern decides only where none does.
func BootSysctls(files []ConfigFile, keys []string) map[string]BootSetting {
	found := map[string]BootSetting{}
	named := map[string]bool{}
	for _, file := range files {
		for line := range strings.Lines(string(file.Content)) {
			pattern, value, ok := sysctlLine(line)
			if !ok {
				continue
			}
			for _, key := range keys {
				exact := pattern == Slashed(key)
				if matched, err := path.Match(pattern, Slashed(key)); exact || err == nil && matched && !named[key] {
					found[key] = BootSetting{Value: value, File: file.Path}
					named[key] = named[key] || exact
				}
			}
		}
	}
	return found
}

// sysctlLine reads a line of sysctl.d(5): a parameter's path, or a pattern of them, and the
// value.
func sysctlLine(line string) (pattern, value string, ok bool) {
	line = strings.TrimSpace(line)
	if line == "" || line[0] == '#' || line[0] == ';' {
		return "", "", false
	}
	name, value, ok := strings.Cut(strings.TrimPrefix(line, "-"), "=")
	return Slashed(strings.TrimSpace(name)), strings.Join(strings.Fields(value), " "), ok
}

// Slashed is a parameter's name as a path: as with sysctl(8), the first separator says which of
// . and / it is; the other one is then part of a name (eth0.100).
func Slashed(name string) string {
	if at := strings.IndexAny(name, "./"); at >= 0 && name[at] == '.' {
		return strings.NewReplacer(".", "/", "/", ".").Replace(name)
	}
	return name
}

// BarredModules finds which kernel modules files of modprobe.d keep away.
func BarredModules(files []ConfigFile, modules []string) map[string]BarredModule {
	found := map[string]BarredModule{}
	for _, file := range files {
		for line := range strings.Lines(string(file.Content)) {
			fields := strings.Fields(line)
			for _, module := range modules {
				if len(fields) < 2 || Underscored(fields[1]) != Underscored(module) {
					continue
				}
				switch fields[0] {
				case "blacklist":
					if !found[module].Always {
						found[module] = BarredModule{File: file.Path}
					}
				case "install":
					if len(fields) > 2 && (path.Base(fields[2]) == "false" || path.Base(fields[2]) == "true") {
						found[module] = BarredModule{File: file.Path, Always: true}
					}
				}
			}
		}
	}
	return found
}

// Underscored is a kernel module's name as the kernel itself writes it.
func Underscored(module string) string { return strings.ReplaceAll(module, "-", "_") }

// WritesHosts finds in cloud-init's files, the last deciding, whether it writes /etc/hosts anew
// at each boot, and the file that says so. With localhost it keeps only a line for itself.
func WritesHosts(files []ConfigFile) string {
	said := ""
	for _, file := range files {
		for line := range strings.Lines(string(file.Content)) {
			value, ok := strings.CutPrefix(line, "manage_etc_hosts:")
			if !ok {
				continue
			}
			value, _, _ = strings.Cut(value, "#")
			switch strings.ToLower(strings.Trim(strings.TrimSpace(value), `"'`)) {
			case "true", "yes", "on", "template":
				said = file.Path
			default:
				said = ""
			}
		}
	}
	return said
}
