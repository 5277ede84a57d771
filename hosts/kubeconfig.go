package hosts

import (
	"errors"
	"fmt"

	"sigs.k8s.io/yaml"
)

// Kubeconfig is a kubeconfig on a host's disk without its private parts.
type Kubeconfig struct {
	Server string `json:"server"`
	CA     []byte `json:"ca"`   // PEM
	Cert   []byte `json:"cert"` // PEM of the client's certificate, read from the file it names where it names one
	// CertFile is set where the kubeconfig names a file and does not embed.
	CertFile   string `json:"certFile,omitempty"`
	KeyMatches bool   `json:"keyMatches"`
	User       string `json:"user"`
	Context    string `json:"context"`
	// Others are its other contexts, one of which a user of the file may have selected.
	Others []Kubeconfig `json:"others,omitempty"`
	// Invalid says why it could not be read as a kubeconfig.
	Invalid string `json:"invalid,omitempty"`
}

// KubeconfigFile is what is looked at of a kubeconfig's file.
type KubeconfigFile struct {
	CurrentContext string         `json:"current-context"`
	Clusters       []namedCluster `json:"clusters"`
	Contexts       []namedContext `json:"contexts"`
	Users          []namedUser    `json:"users"`
}

type namedCluster struct {
	Name    string `json:"name"`
	Cluster struct {
		Server string `json:"server"`
		CA     []byte `json:"certificate-authority-data"`
		CAFile string `json:"certificate-authority"`
	} `json:"cluster"`
}

type namedContext struct {
	Name    string `json:"name"`
	Context struct {
		Cluster string `json:"cluster"`
		User    string `json:"user"`
	} `json:"context"`
}

type namedUser struct {
	Name string `json:"name"`
	User struct {
		Cert     []byte `json:"client-certificate-data"`
		CertFile string `json:"client-certificate"`
		Key      []byte `json:"client-key-data"`
		KeyFile  string `json:"client-key"`
	} `json:"user"`
}

// ParseKubeconfig reads a kubeconfig.
func ParseKubeconfig(data []byte) (file KubeconfigFile, err error) {
	if err := yaml.Unmarshal(data, &file); err != nil {
		// The parser's error may quote the file, which holds a key.
		return KubeconfigFile{}, errors.New("it is not YAML of a kubeconfig's form")
	}
	return file, nil
}

// Judge says of a kubeconfig's contexts, the current one first, what may leave the host. read
// gives the content of a file that it names, nil for none; matches is KeyMatches.
func (f KubeconfigFile) Judge(read func(name string) []byte, matches func(cert, key []byte) bool) Kubeconfig {
	result, err := f.judge(f.CurrentContext, read, matches)
	if err != nil {
		result.Invalid = err.Error()
	}
	for _, c := range f.Contexts {
		if c.Name == f.CurrentContext {
			continue
		}
		if other, err := f.judge(c.Name, read, matches); err == nil {
			result.Others = append(result.Others, other)
		}
	}
	return result
}

// judge says what one context leads to.
func (f KubeconfigFile) judge(name string, read func(string) []byte, matches func(cert, key []byte) bool) (Kubeconfig, error) {
	result := Kubeconfig{Context: name}
	context, found := first(f.Contexts, func(c namedContext) bool { return c.Name == name && c.Context.Cluster != "" })
	if !found {
		return result, fmt.Errorf("its context %q is not among its contexts, or has no cluster", name)
	}
	result.User = context.Context.User
	cluster, found := first(f.Clusters, func(c namedCluster) bool { return c.Name == context.Context.Cluster })
	if !found {
		return result, fmt.Errorf("it has no cluster %q", context.Context.Cluster)
	}
	embedded := func(data []byte, file string) []byte {
		if len(data) > 0 || file == "" {
			return data
		}
		return read(file)
	}
	result.Server, result.CA = cluster.Cluster.Server, PublicParts(embedded(cluster.Cluster.CA, cluster.Cluster.CAFile))
	user, found := first(f.Users, func(u namedUser) bool { return u.Name == result.User })
	if !found {
		return result, fmt.Errorf("it has no user %q", result.User)
	}
	if len(user.User.Cert) == 0 {
		result.CertFile = user.User.CertFile
	}
	cert, key := embedded(user.User.Cert, user.User.CertFile), embedded(user.User.Key, user.User.KeyFile)
	result.Cert, result.KeyMatches = PublicParts(cert), matches(cert, key)
	return result, nil
}
