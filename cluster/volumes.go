package cluster

import (
	"path"
	"regexp"
	"slices"
	"strings"
)

// ExtraVolumes are files and folders of the control planes that are shown to the static
// Pods, beside those that Slipway shows them.
type ExtraVolumes struct {
	APIServer         []HostPathMount `json:"apiServer,omitempty"`
	ControllerManager []HostPathMount `json:"controllerManager,omitempty"`
	Scheduler         []HostPathMount `json:"scheduler,omitempty"`
	Etcd              []HostPathMount `json:"etcd,omitempty"`
}

// HostPathMount is one volume, in kubeadm v1beta4's form.
type HostPathMount struct {
	Name      string `json:"name"`
	HostPath  string `json:"hostPath"`
	MountPath string `json:"mountPath"`
	ReadOnly  bool   `json:"readOnly,omitempty"`
	PathType  string `json:"pathType,omitempty"` // a HostPathType of the core API; empty: not looked at
}

// PathTypes are the HostPathTypes of the core API.
var PathTypes = []string{"DirectoryOrCreate", "Directory", "FileOrCreate", "File", "Socket", "CharDevice", "BlockDevice"}

// StaticPod is what the cluster file says of one component that runs as a static Pod, and
// what of the host it is shown anyway.
type StaticPod struct {
	Field   string // in extraArgs and extraVolumes
	Args    []Arg
	Volumes []HostPathMount
	Own     []HostPathMount // Slipway's, at the same place in the Pod
}

// CAFolders are the folders that distributions keep trusted CAs in. A Pod is always shown
// the first, and those of the others that its host has, as the first may hold nothing but
// links to them.
var CAFolders = []string{
	"/etc/ssl/certs", "/etc/ca-certificates", "/etc/pki/ca-trust", "/etc/pki/tls/certs",
	"/usr/local/share/ca-certificates", "/usr/share/ca-certificates",
}

func folder(name, path string, readOnly bool) HostPathMount {
	return HostPathMount{Name: name, HostPath: path, MountPath: path, ReadOnly: readOnly, PathType: "DirectoryOrCreate"}
}

func kubeconfig(path string) HostPathMount {
	return HostPathMount{Name: "kubeconfig", HostPath: path, MountPath: path, ReadOnly: true, PathType: "FileOrCreate"}
}

// StaticPods are the components in kubeadm's order.
func (c *Cluster) StaticPods() []StaticPod {
	withCAs := []HostPathMount{folder("k8s-certs", "/etc/kubernetes/pki", true)}
	for i, path := range CAFolders {
		name := strings.ReplaceAll(path[1:], "/", "-")
		if i == 0 {
			name = "ca-certs" // kubeadm's name
		}
		withCAs = append(withCAs, folder(name, path, true))
	}
	return []StaticPod{
		{"apiServer", c.ExtraArgs.APIServer, c.ExtraVolumes.APIServer, withCAs},
		{"controllerManager", c.ExtraArgs.ControllerManager, c.ExtraVolumes.ControllerManager,
			append(slices.Clone(withCAs), kubeconfig("/etc/kubernetes/controller-manager.conf"))},
		{"scheduler", c.ExtraArgs.Scheduler, c.ExtraVolumes.Scheduler, []HostPathMount{kubeconfig("/etc/kubernetes/scheduler.conf")}},
		{"etcd", c.ExtraArgs.Etcd, c.ExtraVolumes.Etcd, []HostPathMount{
			folder("etcd-certs", "/etc/kubernetes/pki/etcd", false),
			folder("etcd-data", "/var/lib/etcd", false), folder("etcd-notes", "/var/lib/slipway/etcd", false),
		}},
	}
}

// StaticPod is the component of a field.
func (c *Cluster) StaticPod(field string) StaticPod {
	for _, pod := range c.StaticPods() {
		if pod.Field == field {
			return pod
		}
	}
	return StaticPod{}
}

// FlagFile is a file or folder that a flag names, as the component sees it.
type FlagFile struct {
	Arg     int // the flag's place in the list
	Flag    string
	Path    string // in the Pod
	Written bool   // by the component
	Folder  bool
	// Host is where it lies on the host; empty where nothing that is mounted holds it.
	Host  string
	Mount HostPathMount // what holds it
}

var (
	// fileFlags are those that name a file or a folder, by how all components end their names.
	fileFlags = regexp.MustCompile(`(^|-)(file|config|path|dir|cafile|certfile|keyfile)$`)
	// otherFileFlags do so under another name, and noFileFlags name APIs (apps/v1=true) under such a name.
	otherFileFlags = []string{"kubelet-certificate-authority"}
	noFileFlags    = []string{"runtime-config"}
)

// Files are what the component's flags name, in the flags' order.
func (p StaticPod) Files() []FlagFile {
	var files []FlagFile
	for i, arg := range p.Args {
		for _, name := range namedFiles(arg) {
			file := FlagFile{Arg: i, Flag: arg.Name, Path: name,
				Written: strings.HasSuffix(arg.Name, "-log-path") || strings.HasSuffix(arg.Name, "-dir"),
				Folder:  strings.HasSuffix(arg.Name, "-dir"),
			}
			file.Host, file.Mount = p.hostPath(name)
			files = append(files, file)
		}
	}
	return files
}

// namedFiles are the files in a flag's value.
func namedFiles(arg Arg) []string {
	switch {
	case arg.Name == "tls-sni-cert-key": // cert,key or cert,key:names
		pair, _, _ := strings.Cut(arg.Value, ":")
		return strings.Split(pair, ",")
	case arg.Name == "auth-token": // etcd's: jwt,pub-key=file,priv-key=file,…
		var files []string
		for _, option := range strings.Split(arg.Value, ",") {
			if key, file, ok := strings.Cut(option, "="); ok && (key == "pub-key" || key == "priv-key") {
				files = append(files, file)
			}
		}
		return files
	case arg.Value == "", arg.Value == "-", slices.Contains(noFileFlags, arg.Name): // - is the standard output
		return nil
	case fileFlags.MatchString(arg.Name) || slices.Contains(otherFileFlags, arg.Name):
		return []string{arg.Value}
	}
	return nil
}

// hostPath is where a path of the Pod lies on the host, by the innermost mount that holds it.
func (p StaticPod) hostPath(name string) (string, HostPathMount) {
	var best HostPathMount
	for _, mount := range append(slices.Clone(p.Own), p.Volumes...) {
		if Within(name, mount.MountPath) && len(path.Clean(mount.MountPath)) >= len(path.Clean(best.MountPath)) {
			best = mount
		}
	}
	if best.MountPath == "" {
		return "", best
	}
	return path.Join(best.HostPath, strings.TrimPrefix(path.Clean(name), path.Clean(best.MountPath))), best
}

// Within tells whether a path is another, or lies below it.
func Within(inner, outer string) bool {
	inner, outer = path.Clean(inner), path.Clean(outer)
	return inner == outer || strings.HasPrefix(inner, strings.TrimSuffix(outer, "/")+"/")
}
