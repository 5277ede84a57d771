package manifests

import (
	"encoding/base64"

	"sigs.k8s.io/yaml"
)

// Kubeconfig is a kubeconfig that carries a client's certificate and key in itself.
func Kubeconfig(server string, ca []byte, user string, cert, key []byte, clusterName string) []byte {
	return kubeconfig(server, ca, user, clusterName, map[string]any{
		"client-certificate-data": base64.StdEncoding.EncodeToString(cert),
		"client-key-data":         base64.StdEncoding.EncodeToString(key),
	})
}

// OperatorKubeconfig is a kubeconfig on an operator's machine, beside those of other
// clusters, and so with names of its own for its entries.
type OperatorKubeconfig struct {
	Cluster, User, Context string
	Server                 string
	// ServerName is what the server's certificate names, where Server is another address, such
	// as a local port; empty: the same.
	ServerName    string
	CA, Cert, Key []byte // PEM
}

// Render writes it.
func (k OperatorKubeconfig) Render() []byte {
	server := map[string]any{
		"certificate-authority-data": base64.StdEncoding.EncodeToString(k.CA),
		"server":                     k.Server,
	}
	if k.ServerName != "" {
		server["tls-server-name"] = k.ServerName
	}
	return kubeconfigNamed(k.Cluster, k.User, k.Context, server, map[string]any{
		"client-certificate-data": base64.StdEncoding.EncodeToString(k.Cert),
		"client-key-data":         base64.StdEncoding.EncodeToString(k.Key),
	})
}

// rotatingKubeconfig is a kubeconfig that points to the file which the kubelet renews.
func rotatingKubeconfig(server string, ca []byte, user, pem, clusterName string) []byte {
	return kubeconfig(server, ca, user, clusterName, map[string]any{
		"client-certificate": pem,
		"client-key":         pem,
	})
}

func kubeconfig(server string, ca []byte, user, clusterName string, credentials map[string]any) []byte {
	return kubeconfigNamed(clusterName, user, user+"@"+clusterName, map[string]any{
		"certificate-authority-data": base64.StdEncoding.EncodeToString(ca),
		"server":                     server,
	}, credentials)
}

func kubeconfigNamed(clusterName, user, context string, server, credentials map[string]any) []byte {
	return mustYAML(map[string]any{
		"apiVersion":      "v1",
		"kind":            "Config",
		"clusters":        []any{map[string]any{"name": clusterName, "cluster": server}},
		"users":           []any{map[string]any{"name": user, "user": credentials}},
		"contexts":        []any{map[string]any{"name": context, "context": map[string]any{"cluster": clusterName, "user": user}}},
		"current-context": context,
	})
}

// discoveryKubeconfig is the kubeconfig in cluster-info: where the API is and whom to
// trust, and nobody's credentials.
func discoveryKubeconfig(server string, ca []byte) []byte {
	return mustYAML(map[string]any{
		"apiVersion": "v1",
		"kind":       "Config",
		"clusters": []any{map[string]any{
			"name": "",
			"cluster": map[string]any{
				"certificate-authority-data": base64.StdEncoding.EncodeToString(ca),
				"server":                     server,
			},
		}},
		"contexts":        nil,
		"current-context": "",
		"users":           nil,
	})
}

// mustYAML writes plain maps, lists and strings, which cannot fail.
func mustYAML(document any) []byte {
	data, err := yaml.Marshal(document)
	if err != nil {
		panic(err)
	}
	return data
}
