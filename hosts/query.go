package hosts

import "slices"

// Query says what to look at beside what every observation holds. It is a function of
// the cluster file and the ownership table alone.
type Query struct {
	// Recorded asks also for all that the host's record names: paths, what lies directly in
	// directories, units and images.
	Recorded bool `json:"recorded,omitempty"`
	// Paths are looked at one by one, in this order; Trees with everything below them.
	Paths []string `json:"paths,omitempty"`
	Trees []string `json:"trees,omitempty"`
	// Entries are folders of which what lies directly in them is looked at.
	Entries []string `json:"entries,omitempty"`
	// Contents are files whose bytes are wanted: never secret ones, unless the operator
	// has to rebuild what it lost (Secrets).
	Contents []string `json:"contents,omitempty"`
	Secrets  []string `json:"secrets,omitempty"`
	// Certificates and Kubeconfigs are judged on the host; no private key leaves it.
	Certificates []CertificateQuery `json:"certificates,omitempty"`
	Kubeconfigs  []string           `json:"kubeconfigs,omitempty"`
	Units        []string           `json:"units,omitempty"`
	Sysctls      []string           `json:"sysctls,omitempty"`
	Modules      []string           `json:"modules,omitempty"`
	// Images are full references to look for in containerd, in the k8s.io namespace.
	Images []string `json:"images,omitempty"`
	// Names are resolved as the host resolves them.
	Names []string `json:"names,omitempty"`
	// Ports are TCP ports whose listener is wanted.
	Ports []int `json:"ports,omitempty"`
	// Links, Tables and Chains are network leftovers to look for, as RemoveNetwork names them.
	Links  []string `json:"links,omitempty"`
	Tables []string `json:"tables,omitempty"`
	Chains []string `json:"chains,omitempty"`
	// Sandboxes asks for those of Pods.
	Sandboxes bool `json:"sandboxes,omitempty"`
	// Reach are TCP addresses, host:port, that the host tries to connect to.
	Reach []string `json:"reach,omitempty"`
	// Subnets are those, in CIDR form, of which is asked whether routes lead there already.
	Subnets []string `json:"subnets,omitempty"`
	// RouteTo are addresses of which is looked up, without a packet, how they would be reached.
	RouteTo []string `json:"routeTo,omitempty"`
	// Sync is a folder (or one yet to be made) whose disk is measured by writing to it as
	// etcd does. Nothing is measured where the folder holds an etcd's data already.
	Sync string `json:"sync,omitempty"`
	// VirtualIP asks who else uses a virtual address, or what it is held by.
	VirtualIP *VirtualIPQuery `json:"virtualIP,omitempty"`
	// Conditions asks for what only checks look at.
	Conditions *ConditionsQuery `json:"conditions,omitempty"`
	// Traffic asks what traffic passes between hosts. Nothing else is looked at then.
	Traffic *TrafficQuery `json:"traffic,omitempty"`
	// Evidence asks for what explains a failed wait, with who listens where the cluster's
	// components should: the API server at APIPort. Signs come with it.
	Evidence bool `json:"evidence,omitempty"`
	APIPort  int  `json:"apiPort,omitempty"`
}

// With is the query as it is on a host that has this record.
func (q Query) With(record *Record) Query {
	if !q.Recorded || record == nil {
		return q
	}
	var paths, directories []string
	for _, owned := range record.Paths {
		paths = append(paths, owned.Path)
		if owned.Type == TypeDirectory {
			directories = append(directories, owned.Path)
		}
	}
	q.Paths, q.Entries = union(q.Paths, paths), union(q.Entries, directories)
	q.Units, q.Images = union(q.Units, record.Units), union(q.Images, record.Images)
	return q
}

// union is a list, and what of another one it lacks.
func union(list, more []string) []string {
	known := make(map[string]bool, len(list))
	for _, name := range list {
		known[name] = true
	}
	return append(slices.Clone(list), slices.DeleteFunc(slices.Clone(more), func(name string) bool { return known[name] })...)
}

// CertificateQuery names a certificate and, where the pair is wanted, its key.
type CertificateQuery struct {
	Cert string `json:"cert"`
	Key  string `json:"key,omitempty"`
}

// VirtualIPQuery asks the network of a host about a virtual address.
type VirtualIPQuery struct {
	Address string `json:"address"`
	// Interface is where to ask; empty: the one whose subnet holds the address.
	Interface string `json:"interface,omitempty"`
	// Unit is the host's own keepalived: where it is there already, the network would show the
	// cluster itself, and nothing is asked.
	Unit string `json:"unit"`
}
