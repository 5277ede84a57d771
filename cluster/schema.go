package cluster

import "encoding/json"

// Schema is the JSON schema (draft 07) of Cluster files, for editors. It says what a
// file looks like; what must fit together, only Validate knows.
func Schema() []byte {
	text, err := json.MarshalIndent(fileSchema(), "", "  ")
	if err != nil {
		panic("cluster: the schema is not JSON: " + err.Error()) // it is made of constants
	}
	return append(text, '\n')
}

// schema is as much of JSON schema as is needed here.
type schema struct {
	Dialect     string             `json:"$schema,omitempty"`
	Title       string             `json:"title,omitempty"`
	Description string             `json:"description,omitempty"`
	Ref         string             `json:"$ref,omitempty"`
	Type        string             `json:"type,omitempty"`
	Const       any                `json:"const,omitempty"`
	Enum        []string           `json:"enum,omitempty"`
	Pattern     string             `json:"pattern,omitempty"`
	MinLength   int                `json:"minLength,omitempty"`
	MaxLength   int                `json:"maxLength,omitempty"`
	Minimum     int                `json:"minimum,omitempty"`
	Maximum     int                `json:"maximum,omitempty"`
	Default     any                `json:"default,omitempty"`
	Items       *schema            `json:"items,omitempty"`
	MinItems    int                `json:"minItems,omitempty"`
	MaxItems    int                `json:"maxItems,omitempty"`
	UniqueItems bool               `json:"uniqueItems,omitempty"`
	Properties  map[string]*schema `json:"properties,omitempty"`
	Required    []string           `json:"required,omitempty"`
	// Additional is false for structs and a *schema for maps.
	Additional  any                `json:"additionalProperties,omitempty"`
	OneOf       []*schema          `json:"oneOf,omitempty"`
	AllOf       []*schema          `json:"allOf,omitempty"`
	If          *schema            `json:"if,omitempty"`
	Then        *schema            `json:"then,omitempty"`
	Else        *schema            `json:"else,omitempty"`
	Definitions map[string]*schema `json:"definitions,omitempty"`
}

// fileSchema fits every document of a file, as editors hold one schema against each.
func fileSchema() *schema {
	return &schema{
		Dialect:     "http://json-schema.org/draft-07/schema#",
		Title:       "Slipway cluster file",
		Description: "A Cluster, and after it perhaps a KubeletConfiguration and a KubeProxyConfiguration in their own API.",
		If: &schema{
			Properties: map[string]*schema{"kind": {Enum: []string{KubeletKind, KubeProxyKind}}},
			Required:   []string{"kind"},
		},
		Then: &schema{
			Type:       "object",
			Properties: map[string]*schema{"apiVersion": {Enum: []string{KubeletAPIVersion, KubeProxyAPIVersion}}},
			Required:   []string{"apiVersion"},
		},
		Else:        ref("Cluster", ""),
		Definitions: definitions(),
	}
}

func definitions() map[string]*schema {
	return map[string]*schema{
		"Cluster":       clusterSchema(),
		"Endpoint":      endpointSchema(),
		"VRRP":          vrrpSchema(),
		"Etcd":          etcdSchema(),
		"ExternalEtcd":  externalEtcdSchema(),
		"Networking":    networkingSchema(),
		"Host":          hostSchema(),
		"Taint":         taintSchema(),
		"SSH":           sshSchema(),
		"Registry":      registrySchema(),
		"Bundle":        bundleSchema(),
		"Certificates":  certificatesSchema(),
		"ExtraArgs":     extraArgsSchema(),
		"Arg":           argSchema(),
		"ExtraVolumes":  extraVolumesSchema(),
		"HostPathMount": hostPathMountSchema(),
		"Duration":      {Type: "string", Pattern: `^([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+$`, Description: "A duration as Go writes it: 30s, 10m, 8760h."},
	}
}

func clusterSchema() *schema {
	return object("All that is wanted of one cluster.", map[string]*schema{
		"apiVersion": {Const: APIVersion, Description: "The version of this format.", Type: "string"},
		"kind":       {Const: Kind, Description: "The kind of document.", Type: "string"},
		"name":       {Type: "string", Pattern: `^[a-z0-9]([a-z0-9-]*[a-z0-9])?$`, MaxLength: 63, Description: "The cluster's name."},
		"id": text("Which cluster of this name is meant, as 'slipway status' shows it: unless said, the one that the name means in the operator's state folder.", "").
			pattern(idForm.String()),
		"kubernetesVersion": text("The Kubernetes version to install.", DefaultKubernetesVersion).pattern(`^v[0-9]+\.[0-9]+\.[0-9]+`),
		"imageRepository":   text("Where image names begin, as in kubeadm's field.", DefaultImageRepository),
		"endpoint":          ref("Endpoint", "The stable host and port of the API."),
		"networking":        ref("Networking", "The addresses inside the cluster."),
		"etcd":              ref("Etcd", "Where the cluster's data are kept: on the control planes unless said."),
		"ssh":               ref("SSH", "How hosts are reached, unless they say otherwise themselves."),
		"hosts":             list(ref("Host", ""), "The machines.").atLeast(1),
		"bundle":            ref("Bundle", "What is demanded of the bundle."),
		"registries":        list(ref("Registry", ""), "Where containerd pulls the user's own images from."),
		"certificates":      ref("Certificates", "How keys and certificates are minted."),
		"extraArgs":         ref("ExtraArgs", "Flags added to, or put in place of, those that Slipway sets."),
		"extraVolumes":      ref("ExtraVolumes", "Files and folders of the control planes that are shown to the static Pods: what flags name has to be there."),
	}, "apiVersion", "kind", "name", "hosts")
}

func endpointSchema() *schema {
	return object("The stable host and port of the API.", map[string]*schema{
		"mode": text("Who keeps it reachable. vip: keepalived and haproxy on the control planes. loadBalancers: the same on hosts of the role load-balancer. "+
			"local: haproxy on every host's loopback, where the network has no VRRP. external: a load balancer of your own. controlPlane: the only control plane itself. "+
			"Unless said, it is loadBalancers where there are such hosts, else vip with several control planes and controlPlane with one.", "").oneOf(endpointModes...),
		"host": text("An address, or a name that leads to it. In the modes vip and loadBalancers an address of the hosts' subnet that nobody has; in mode local a name, "+
			"api.NAME.internal unless said; in mode controlPlane the control plane's address unless said.", ""),
		"port":    {Type: "integer", Minimum: 1, Maximum: 65535, Description: "The port: unless said 16443 where haproxy is Slipway's, else 6443."},
		"address": text("The virtual address of the modes vip and loadBalancers, where host is a name.", "").pattern(addressPattern),
		"vrrp":    ref("VRRP", "How the virtual address is held."),
	})
}

func vrrpSchema() *schema {
	return object("How the virtual address is held.", map[string]*schema{
		"interface": text("The interface that carries it: unless said, the one that has the host's own address.", "").pattern(interfaceForm.String()),
		"routerID":  {Type: "integer", Minimum: 1, Maximum: 255, Description: "What tells virtual routers of one network apart: unless said, it comes of the cluster's identity."},
		"preempt":   {Type: "boolean", Description: "Whether the address goes back to the first host of the file that is well; unless said, whoever has it keeps it while he is well."},
	})
}

func etcdSchema() *schema {
	return object("Where the cluster's data are kept.", map[string]*schema{
		"external": ref("ExternalEtcd", "An etcd of your own."),
	})
}

func externalEtcdSchema() *schema {
	file := func(description string) *schema {
		s := text(description, "")
		s.MinLength = 1
		return s
	}
	return object("An etcd of your own. The files are on the operator's machine.", map[string]*schema{
		"endpoints": list(text("A URL.", "").pattern(`^https://[^/@]+:[0-9]+/?$`), "Its members' URLs for clients.").atLeast(1).unique(),
		"caFile":    file("A file with etcd's CA."),
		"certFile":  file("A file with the certificate by which API servers are its clients."),
		"keyFile":   file("A file with the private key to certFile."),
	}, "endpoints", "caFile", "certFile", "keyFile")
}

func networkingSchema() *schema {
	subnet := func(description string) *schema { return text(description, "").pattern(subnetPattern) }
	return object("The addresses inside the cluster.", map[string]*schema{
		"podSubnets":     list(subnet("A subnet."), "The Pods' subnets; each node takes a /24.").exactlyOne(DefaultPodSubnet),
		"podSubnet":      subnet("The Pods' subnet: podSubnets of one."),
		"serviceSubnets": list(subnet("A subnet."), "The Services' subnets.").exactlyOne(DefaultServiceSubnet),
		"serviceSubnet":  subnet("The Services' subnet: serviceSubnets of one."),
		"dnsDomain":      text("The domain of Services' names.", DefaultDNSDomain),
		"addOn":          text("The network add-on; with none, bring your own.", AddOnFlannel).oneOf(AddOnFlannel, AddOnNone),
	})
}

const (
	subnetPattern  = `^[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+/[0-9]+$`
	addressPattern = `^[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+$`
)

func hostSchema() *schema {
	role := text("A role.", "").oneOf(allRoles...)
	host := object("A machine; its name becomes the node's.", map[string]*schema{
		"name":      text("The host's and the node's name.", "").pattern(`^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$`),
		"address":   text("What other hosts reach it by.", "").pattern(addressPattern),
		"addresses": list(text("An address.", "").pattern(addressPattern), "What other hosts reach it by, as a list.").exactlyOne(""),
		"roles":     list(role, "What it does. A control plane that is a worker too runs Pods as well; a load-balancer has no other role.").atLeast(1).unique(),
		"hostname":  text("keep leaves the machine's own host name as it is; unless said, it is set to name.", "").oneOf(HostnameKeep),
		"labels":    {Type: "object", Additional: &schema{Type: "string"}, Description: "The node's labels."},
		"taints":    list(ref("Taint", ""), "The node's taints."),
		"ssh":       ref("SSH", "How it is reached, where that differs."),
	}, "name", "roles")
	host.OneOf = []*schema{{Required: []string{"address"}}, {Required: []string{"addresses"}}}
	return host
}

func taintSchema() *schema {
	return object("A node's taint.", map[string]*schema{
		"key":    text("Its key.", ""),
		"value":  text("Its value.", ""),
		"effect": text("What it does to Pods that do not tolerate it.", "").oneOf(effects...),
	}, "key", "effect")
}

func sshSchema() *schema {
	return object("How the operator reaches a host.", map[string]*schema{
		"host":           text("The name or address to connect to; the host's address unless said.", ""),
		"port":           port("The port.", DefaultSSHPort),
		"user":           text("Who logs in: root, or one who may sudo without a password.", DefaultSSHUser),
		"identityFile":   text("A private key's file; or a public key's, whose private half ssh-agent has. Without it, ssh-agent's keys and the usual files of ~/.ssh are tried.", ""),
		"knownHostsFile": text("The file of known host keys; ~/.ssh/known_hosts unless said.", ""),
		"proxyCommand":   text("A command whose standard input and output carry the connection; %h, %p, %r, %n as OpenSSH has them.", ""),
		"connectTimeout": duration("How long everything up to the end of the SSH handshake may take.", DefaultConnectTimeout),
	})
}

func registrySchema() *schema {
	return object("A registry, or what stands in for it.", map[string]*schema{
		"name": text("The registry's host and port as in image names; * for all others.", ""),
		"mirrors": list(text("A URL.", "").pattern(`^https?://`), "URLs that are tried first, in this order. A path is kept where it goes on behind /v2, as Harbor's proxy cache has it "+
			"(https://HOST/v2/PROJECT); any other gets /v2 behind it, as Nexus (https://HOST/repository/NAME) and Artifactory (https://HOST/artifactory/api/docker/NAME) want it."),
		"overridePath":    {Type: "boolean", Description: "Whether the mirrors' paths are taken as they are in any case: containerd's override_path."},
		"caFile":          text("A file with the CA that the mirrors' certificates, or without mirrors the registry's own, are checked by.", ""),
		"credentialsFile": text("A file with two lines, user and password: for the mirror, or without mirrors for the registry itself.", ""),
		"skipVerify":      {Type: "boolean", Description: "Whether to leave its certificate unchecked."},
	}, "name")
}

func bundleSchema() *schema {
	file := text("A file.", "")
	file.MinLength = 1
	return object("What is demanded of the bundle that the hosts are made from.", map[string]*schema{
		"trustedKeyFiles": list(file, "Files with an Ed25519 public key (PEM) each: the bundle has to be signed by one of them. "+
			"Unless said, the keys in slipway/trusted-keys of the operator's configuration folder count, where there are any.").unique(),
	})
}

func certificatesSchema() *schema {
	return object("How keys and certificates are minted.", map[string]*schema{
		"validity":     duration("How long certificates live.", DefaultValidity),
		"caValidity":   duration("How long CAs live.", DefaultCAValidity),
		"keyAlgorithm": text("The keys' algorithm, in kubeadm's words.", DefaultKeyAlgorithm).oneOf(keyAlgorithms...),
		"extraSANs":    list(text("A DNS name or an address.", ""), "More names of the API server.").unique(),
	})
}

func extraArgsSchema() *schema {
	args := func(component string) *schema { return list(ref("Arg", ""), "Flags of "+component+".") }
	return object("Flags added to, or put in place of, those that Slipway sets.", map[string]*schema{
		"apiServer":         args("kube-apiserver"),
		"controllerManager": args("kube-controller-manager"),
		"scheduler":         args("kube-scheduler"),
		"etcd":              args("etcd"),
		"kubelet":           args("the kubelet"),
	})
}

func argSchema() *schema {
	return object("A flag.", map[string]*schema{
		"name":  text("Its name, without dashes in front.", "").pattern(flagForm.String()),
		"value": text("Its value.", ""),
	}, "name", "value")
}

func extraVolumesSchema() *schema {
	volumes := func(component string) *schema { return list(ref("HostPathMount", ""), "Volumes of "+component+".") }
	return object("Files and folders of the control planes that are shown to the static Pods.", map[string]*schema{
		"apiServer":         volumes("kube-apiserver"),
		"controllerManager": volumes("kube-controller-manager"),
		"scheduler":         volumes("kube-scheduler"),
		"etcd":              volumes("etcd"),
	})
}

func hostPathMountSchema() *schema {
	return object("A file or folder of the host in a Pod, in kubeadm's form.", map[string]*schema{
		"name":      text("The volume's name.", "").pattern(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?$`),
		"hostPath":  text("Where it lies on the host.", "").pattern("^/"),
		"mountPath": text("Where the Pod sees it.", "").pattern("^/"),
		"readOnly":  {Type: "boolean", Description: "Whether the Pod may only read it."},
		"pathType":  text("What has to be there, in the words of the core API's HostPathType: unless said, it is not looked at.", "").oneOf(PathTypes...),
	}, "name", "hostPath", "mountPath")
}
