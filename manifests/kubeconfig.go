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

// TunnelKubeconfig is a Kubeconfig for a server that is reached by another address than
// its certificate names, such as a local port: serverName is what the certificate has.
func TunnelKubeconfig(server, serverName string, ca []byte, user string, cert, key []byte, clusterName string) []byte {
	return kubeconfigOf(clusterName, user, map[string]any{
		"certificate-authority-data": base64.StdEncoding.EncodeToString(ca),
		"server":                     server,
		"tls-server-name":            serverName,
	}, map[string]any{
		"client-certificate-data": base64.StdEncoding.EncodeToString(cert),
		"client-key-data":         base64.StdEncoding.EncodeToString(key),
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
	return kubeconfigOf(clusterName, user, map[string]any{
		"certificate-authority-data": base64.StdEncoding.EncodeToString(ca),
		"server":                     server,
	}, credentials)
}

func kubeconfigOf(clusterName, user string, server, credentials map[string]any) []byte {
	context := user + "@" + clusterName
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
