package cluster

import (
	"reflect"
	"slices"
	"strings"
)

// fieldsOf gives a struct's fields by their JSON names, those of embedded structs too.
func fieldsOf(structure reflect.Value) map[string]reflect.Value {
	fields := map[string]reflect.Value{}
	for i := range structure.NumField() {
		field := structure.Type().Field(i)
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		switch {
		case name == "-" || !field.IsExported():
		case name == "" && field.Anonymous:
			for embedded, value := range fieldsOf(structure.Field(i)) {
				fields[embedded] = value
			}
		case name == "":
			fields[field.Name] = structure.Field(i)
		default:
			fields[name] = structure.Field(i)
		}
	}
	return fields
}

func names(known map[string]reflect.Value, short map[string]string) []string {
	var all []string
	for name := range known {
		all = append(all, name)
	}
	for name := range short {
		all = append(all, name)
	}
	slices.Sort(all)
	return all
}

// hints are answers to fields that other tools' users bring along: by the type's name
// and the field's in lower case.
var hints = map[string]string{
	"Cluster.clustername":            "write name",
	"Cluster.metadata":               "write name at the top: this file has no metadata",
	"Cluster.spec":                   "write its fields at the top: this file has no spec",
	"Cluster.controlplaneendpoint":   "write endpoint, with host and port",
	"Cluster.apiserver":              "write certificates.extraSANs for names, extraArgs.apiServer for flags",
	"Cluster.controllermanager":      "write extraArgs.controllerManager",
	"Cluster.scheduler":              "write extraArgs.scheduler",
	"Cluster.loadbalancer":           "write endpoint, with mode and host",
	"Cluster.loadbalancers":          "write endpoint, with mode and host, and list the machines under hosts with the role load-balancer",
	"Cluster.vip":                    "write endpoint, with host",
	"Endpoint.vip":                   "write host",
	"Endpoint.virtualip":             "write host",
	"Endpoint.type":                  "write mode",
	"Endpoint.domain":                "write host",
	"Endpoint.interface":             "write vrrp.interface",
	"Endpoint.keepalived":            "write vrrp",
	"VRRP.virtualrouterid":           "write routerID",
	"VRRP.vrid":                      "write routerID",
	"VRRP.nopreempt":                 "write preempt; it is false unless said",
	"VRRP.priority":                  "leave it out: it follows the order of hosts",
	"VRRP.password":                  "leave it out: VRRPv3 has none",
	"VRRP.authpass":                  "leave it out: VRRPv3 has none",
	"Etcd.endpoints":                 "write external.endpoints",
	"Etcd.local":                     "leave it out: without external, etcd is on the control planes; its flags go to extraArgs.etcd",
	"Etcd.extraargs":                 "write extraArgs.etcd at the top",
	"ExternalEtcd.ca":                "write caFile",
	"ExternalEtcd.cert":              "write certFile",
	"ExternalEtcd.key":               "write keyFile, the name of a file: keys are never in this one",
	"Cluster.nodes":                  "write hosts",
	"Cluster.network":                "write networking",
	"Cluster.encryptionalgorithm":    "write certificates.keyAlgorithm",
	"Cluster.version":                "write kubernetesVersion",
	"Host.ip":                        "write address",
	"Host.internaladdress":           "write address",
	"Host.privateaddress":            "write address",
	"Host.publicaddress":             "write ssh.host",
	"Host.user":                      "write ssh.user",
	"Host.port":                      "write ssh.port",
	"Host.role":                      "write roles, a list",
	"Host.hostname":                  "write name: it becomes the host's and the node's name",
	"Networking.cni":                 "write addOn",
	"Networking.plugin":              "write addOn",
	"Networking.podcidr":             "write podSubnets, a list",
	"Networking.servicecidr":         "write serviceSubnets, a list",
	"Networking.clusterdomain":       "write dnsDomain",
	"SSH.address":                    "write host",
	"SSH.hostname":                   "write host",
	"SSH.username":                   "write user",
	"SSH.key":                        "write identityFile",
	"SSH.keypath":                    "write identityFile",
	"SSH.keyfile":                    "write identityFile",
	"SSH.privatekey":                 "write identityFile, the name of a file: keys are never in this one",
	"SSH.password":                   "use a key, by identityFile or ssh-agent; or write passwordFile, the name of a file, or say --ask-pass: passwords are never in this file",
	"SSH.bastion":                    "write jump, a list such as [ops@bastion.example.com]",
	"SSH.proxyjump":                  "write jump, a list such as [ops@bastion.example.com]",
	"SSH.gateway":                    "write jump, a list such as [ops@bastion.example.com]",
	"SSH.jumphost":                   "write jump, a list such as [ops@bastion.example.com]",
	"SSH.certificate":                "write certificateFile, the name of a file",
	"SSH.agent":                      "write identityAgent, the socket of an ssh-agent, or none",
	"SSH.usesshagent":                "leave it out: ssh-agent is asked unless identityAgent is none",
	"SSH.fingerprint":                "write hostKeys, a list",
	"SSH.hostkey":                    "write hostKeys, a list",
	"SSH.knownhosts":                 "write knownHostsFile, the name of a file",
	"SSH.becomepassword":             "write becomePasswordFile, the name of a file; or say --ask-become-pass: passwords are never in this file",
	"SSH.sudopassword":               "write becomePasswordFile, the name of a file; or say --ask-become-pass: passwords are never in this file",
	"SSH.passphrase":                 "leave it out: it is asked for, or ssh-agent has the key",
	"SSH.stricthostkeychecking":      "leave it out: host keys are always checked; hostKeys pins them, and --trust-on-first-use accepts unknown ones",
	"SSH.timeout":                    "write connectTimeout",
	"SSH.becomemethod":               "write become",
	"SSH.sudo":                       "write become: sudo, or nothing: what the host has is used",
	"Timeouts.tlsbootstrap":          "leave it out: Slipway brings each kubelet its certificate, and waits for none; kubeletHealthCheck is for the node",
	"Timeouts.discovery":             "leave it out: Slipway brings each host the CA, and discovers none",
	"Timeouts.upgrademanifests":      "write controlPlaneComponentHealthCheck: it is for static Pods of a new version too",
	"Timeouts.quiet":                 "write withoutProgress",
	"Cluster.timeout":                "write timeouts, with limit",
	"Cluster.timeoutforcontrolplane": "write timeouts.controlPlaneComponentHealthCheck",
	"Bundle.trustedkeys":             "write trustedKeyFiles, the names of files",
	"Bundle.publickey":               "write trustedKeyFiles, the names of files",
	"Cluster.trustedkeys":            "write bundle.trustedKeyFiles, the names of files",
	"Registry.password":              "write credentialsFile, the name of a file: passwords are never in this one",
	"Registry.username":              "write credentialsFile, the name of a file with two lines: user and password",
	"Registry.host":                  "write name",
	"Registry.endpoint":              "write mirrors, a list",
	"Registry.endpoints":             "write mirrors",
	"Registry.override_path":         "write overridePath",
	"Registry.insecure":              "write skipVerify",
	"Registry.insecureskipverify":    "write skipVerify",
	"Certificates.sans":              "write extraSANs",
	"Certificates.certsans":          "write extraSANs",
	"ExtraArgs.kubeproxy":            "add a KubeProxyConfiguration document to this file",
	"Cluster.extravolume":            "write extraVolumes, with apiServer, controllerManager, scheduler or etcd",
	"ExtraVolumes.kube-apiserver":    "write apiServer",
	"ExtraVolumes.kubelet":           "leave it out: the kubelet is no Pod, and sees the whole host",
	"HostPathMount.path":             "write hostPath",
	"HostPathMount.type":             "write pathType",
	"ExtraArgs.kube-apiserver":       "write apiServer",
}

func hint(in reflect.Type, name string) string {
	return hints[in.Name()+"."+strings.ToLower(name)]
}

// nearest gives the known name that was probably meant, or "".
func nearest(name string, known []string) string {
	best, bestDistance := "", 1+max(1, len(name)/3)
	for _, candidate := range known {
		if strings.EqualFold(candidate, name) {
			return candidate
		}
		if d := distance(strings.ToLower(name), strings.ToLower(candidate)); d < bestDistance {
			best, bestDistance = candidate, d
		}
	}
	return best
}

// distance counts the typing errors between two words: a letter too many, missing, another,
// or two letters swapped.
func distance(a, b string) int {
	const longest = 64 // names are short; a longer text is no typing error
	if len(a) > longest || len(b) > longest {
		return longest
	}
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			other := 1
			if a[i-1] == b[j-1] {
				other = 0
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+other)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}
