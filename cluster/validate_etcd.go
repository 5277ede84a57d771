package cluster

import (
	"net/url"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
)

// etcd checks where the cluster's data are to be kept, if not on the control planes.
func (k *checker) etcd(c *Cluster) {
	external := c.Etcd.External
	if external == nil {
		return
	}
	const path = "etcd.external"
	if len(external.Endpoints) == 0 {
		k.wrong(path+".endpoints", "list them, like https://192.0.2.31:2379", "is empty")
	}
	seen := map[string]int{}
	for i, endpoint := range external.Endpoints {
		at := index(path+".endpoints", i)
		k.etcdEndpoint(endpoint, at)
		k.once(seen, strings.TrimSuffix(strings.ToLower(endpoint), "/"), i, at, path+".endpoints")
	}
	k.etcdFile(external.CAFile, path+".caFile", "etcd's CA")
	k.etcdFile(external.CertFile, path+".certFile", "the certificate by which API servers are etcd's clients")
	k.etcdFile(external.KeyFile, path+".keyFile", "the private key to certFile")
	if len(c.ExtraArgs.Etcd) > 0 {
		k.wrong("extraArgs.etcd", leaveOut, "with etcd.external there is no etcd of Slipway's that could have flags").concludedFrom("external")
	}
}

func (k *checker) etcdFile(file, path, what string) {
	if file == "" {
		k.wrong(path, "write the name of a file with "+what, "is missing")
	}
}

func (k *checker) etcdEndpoint(endpoint, path string) {
	const example = "write it like https://192.0.2.31:2379"
	parsed, err := url.Parse(endpoint)
	if err != nil {
		k.wrong(path, example, "is not a URL") // not quoted: it may have a password in it
		return
	}
	host := strings.ToLower(parsed.Hostname())
	number, err := strconv.Atoi(parsed.Port())
	switch {
	case strings.Contains(endpoint, "@"): // a password is not for the terminal
		k.wrong(path, example+": the API servers show who they are by certFile", "has a user name or password in it")
	case parsed.Scheme == "http":
		k.wrong(path, "write https://"+parsed.Host, "%s is in clear text: all of the cluster's secrets pass here", endpoint)
	case parsed.Scheme != "https" || host == "":
		k.wrong(path, example, "%q is not an https URL", endpoint)
	case parsed.Port() == "":
		k.wrong(path, "write https://"+strings.TrimSuffix(parsed.Host, ":")+":2379", "%s has no port", endpoint)
	case err != nil || len(validation.IsValidPortNum(number)) > 0:
		k.wrong(path, "write a port from 1 to 65535", "%s is not a port", parsed.Port())
	case isMistypedAddress(host):
		k.mistypedAddress(host, path)
	case !isAddress(host) && !isName(host):
		k.wrong(path, example, "%q is neither an address nor a DNS name", host)
	case strings.Trim(parsed.Path, "/") != "" || parsed.RawQuery != "" || parsed.Fragment != "":
		k.wrong(path, "end it with the port", "%s has more after the port", endpoint)
	}
}
