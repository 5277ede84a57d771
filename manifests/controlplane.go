package manifests

import (
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/slipway-k8s/slipway/certs"
	"github.com/slipway-k8s/slipway/cluster"
)

func (in Input) apiServerPod(host cluster.Host) ([]byte, error) {
	etcdCA, err := in.etcdCA()
	if err != nil {
		return nil, err
	}
	return in.staticPod(host, component{
		name:        imageAPIServer,
		pod:         in.Cluster.StaticPod("apiServer"),
		flags:       apiServerFlags(in.Cluster, host),
		annotations: map[string]string{annotationAPIServer: APIAddress(in.Cluster, host)},
		// It watches its certificates, keys and the CAs of its clients; what it reads once
		// is the CA of etcd and the service accounts' keys.
		inputs:   digest(etcdCA, in.PKI.ServiceAccount.Cert),
		requests: cpu("250m"),
		port:     int32(in.Cluster.APIPort()),
		probes: probes{
			host: host.Address(), scheme: corev1.URISchemeHTTPS,
			liveness: "/livez", readiness: "/readyz", startup: "/livez",
		},
	})
}

func apiServerFlags(c *cluster.Cluster, host cluster.Host) []flag {
	services := strings.Join(c.Networking.ServiceSubnets, ",")
	flags := []flag{
		{"advertise-address", host.Address()},
		{"secure-port", strconv.Itoa(c.APIPort())},
		{"service-cluster-ip-range", services},
		{"allow-privileged", "true"},
		{"enable-admission-plugins", "NodeRestriction"},
		{"enable-bootstrap-token-auth", "true"},
		{"kubelet-preferred-address-types", "InternalIP,ExternalIP,Hostname"},
		{"service-account-issuer", "https://kubernetes.default.svc." + c.Networking.DNSDomain},
		{"service-account-key-file", certs.ServiceAccountPublicPath},
		{"service-account-signing-key-file", certs.ServiceAccountKeyPath},
		{"client-ca-file", certs.Kubernetes.CertPath()},
		{"requestheader-client-ca-file", certs.FrontProxy.CertPath()},
		{"requestheader-allowed-names", "front-proxy-client"},
		{"requestheader-username-headers", "X-Remote-User"},
		{"requestheader-group-headers", "X-Remote-Group"},
		{"requestheader-extra-headers-prefix", "X-Remote-Extra-"},
		{"etcd-servers", etcdServers(c, host)},
		{"etcd-cafile", certs.Etcd.CertPath()},
	}
	flags = append(flags, pairFlags(certs.APIServer, "tls-cert-file", "tls-private-key-file")...)
	flags = append(flags, pairFlags(certs.APIServerKubeletClient, "kubelet-client-certificate", "kubelet-client-key")...)
	flags = append(flags, pairFlags(certs.APIServerEtcdClient, "etcd-certfile", "etcd-keyfile")...)
	flags = append(flags, pairFlags(certs.FrontProxyClient, "proxy-client-cert-file", "proxy-client-key-file")...)
	// A structured authorization configuration replaces the modes: both at once are refused.
	if _, structured := argument(c.ExtraArgs.APIServer, "authorization-config"); !structured {
		flags = append(flags, flag{"authorization-mode", "Node,RBAC"})
	}
	return flags
}

func pairFlags(name, cert, key string) []flag {
	base := certs.PKIFolder + "/" + name
	return []flag{{cert, base + ".crt"}, {key, base + ".key"}}
}

func (in Input) controllerManagerPod(host cluster.Host) ([]byte, error) {
	pod := in.Cluster.StaticPod("controllerManager")
	return in.staticPod(host, component{
		name:  imageController,
		pod:   pod,
		flags: controllerManagerFlags(in.Cluster),
		// It reads its kubeconfig, the CA for Pods and the service accounts' key once. The
		// client certificate in the kubeconfig is left out: who renews it restarts the Pod.
		inputs:   digest(in.PKI.CA.Cert, in.PKI.ServiceAccount.Cert, []byte("https://"+APIAddress(in.Cluster, host))),
		requests: cpu("200m"),
		port:     controllerPort,
		probes: probes{
			host: probeHost(bindAddress(pod.Args)), scheme: corev1.URISchemeHTTPS,
			liveness: "/healthz", startup: "/healthz",
		},
	})
}

func controllerManagerFlags(c *cluster.Cluster) []flag {
	flags := append(clientFlags(ControllerConf),
		flag{"client-ca-file", certs.Kubernetes.CertPath()},
		flag{"requestheader-client-ca-file", certs.FrontProxy.CertPath()},
		flag{"root-ca-file", certs.Kubernetes.CertPath()},
		flag{"cluster-signing-cert-file", certs.Kubernetes.CertPath()},
		flag{"cluster-signing-key-file", certs.Kubernetes.KeyPath()},
		flag{"service-account-private-key-file", certs.ServiceAccountKeyPath},
		flag{"use-service-account-credentials", "true"},
		flag{"controllers", "*,bootstrapsigner,tokencleaner"},
		flag{"cluster-name", c.Name},
		flag{"allocate-node-cidrs", "true"},
		flag{"cluster-cidr", strings.Join(c.Networking.PodSubnets, ",")},
		flag{"service-cluster-ip-range", strings.Join(c.Networking.ServiceSubnets, ",")},
	)
	return append(flags, quickStart...)
}

// quickStart are flags that kubeadm does not set; kubeadm-config has them too, so that
// kubeadm writes the same. At its start the controller manager makes an account and asks
// for a token for each of some fifty controllers, and with the default of 20 requests a
// second no node gets its Pods' addresses, and no Pod is made, for the first six seconds.
// The API server guards itself by priority and fairness.
var quickStart = []flag{{"kube-api-qps", "100"}, {"kube-api-burst", "200"}}

// withQuickStart are the user's arguments and, of our own, those that he does not set.
func withQuickStart(users []cluster.Arg) []cluster.Arg {
	args := slices.Clone(users)
	for _, ours := range quickStart {
		if !slices.ContainsFunc(users, func(arg cluster.Arg) bool { return arg.Name == ours.name }) {
			args = append(args, cluster.Arg{Name: ours.name, Value: ours.value})
		}
	}
	return args
}

func (in Input) schedulerPod(host cluster.Host) ([]byte, error) {
	pod := in.Cluster.StaticPod("scheduler")
	return in.staticPod(host, component{
		name:     imageScheduler,
		pod:      pod,
		flags:    clientFlags(SchedulerConf),
		inputs:   digest(in.PKI.CA.Cert, []byte("https://"+APIAddress(in.Cluster, host))), // as above
		requests: cpu("100m"),
		port:     schedulerPort,
		probes: probes{
			host: probeHost(bindAddress(pod.Args)), scheme: corev1.URISchemeHTTPS,
			liveness: "/livez", readiness: "/readyz", startup: "/livez",
		},
	})
}

// clientFlags are those of a component that talks to the API and serves only its host.
func clientFlags(kubeconfig string) []flag {
	return []flag{
		{"kubeconfig", kubeconfig},
		{"authentication-kubeconfig", kubeconfig},
		{"authorization-kubeconfig", kubeconfig},
		{"bind-address", "127.0.0.1"},
		{"leader-elect", "true"},
	}
}

func bindAddress(users []cluster.Arg) string {
	if address, set := argument(users, "bind-address"); set {
		return address
	}
	return "127.0.0.1"
}
