// Command poll runs on a control plane and tells when three things first were so: the API
// server answers /readyz, every node asked for is Ready, CoreDNS is available (asked only
// once the nodes are). It asks every 50 ms, and asks the same whoever made the cluster.
//
// /readyz is asked beside the nodes and not before them: an API server lists nodes before all
// is done that /readyz waits for.
//
//	poll NODES SECONDS
//
// Each line is a name and the time in nanoseconds since 1970.
package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"
	"sigs.k8s.io/yaml"
)

const (
	interval   = 50 * time.Millisecond
	kubeconfig = "/etc/kubernetes/admin.conf"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "poll:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 2 {
		return fmt.Errorf("usage: poll NODES SECONDS")
	}
	nodes, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	seconds, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	deadline := time.Now().Add(time.Duration(seconds) * time.Second)
	var asking errgroup.Group
	asking.Go(func() error { return tell("api", deadline, (*api).ready) })
	asking.Go(func() error {
		ready := func(a *api) bool { return a.nodesReady() >= nodes }
		if err := tell("nodes", deadline, ready); err != nil {
			return err
		}
		return tell("coredns", deadline, (*api).dnsAvailable)
	})
	return asking.Wait()
}

// tell prints a line with the name and the time once the question is answered with yes.
func tell(name string, deadline time.Time, ask func(*api) bool) error {
	if err := until(deadline, ask); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	fmt.Println(name, time.Now().UnixNano())
	return nil
}

func until(deadline time.Time, ask func(*api) bool) error {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	var client *api
	for time.Now().Before(deadline) {
		if client == nil {
			client, _ = connect() // the kubeconfig may not be there yet
		}
		if client != nil && ask(client) {
			return nil
		}
		<-ticker.C
	}
	return fmt.Errorf("not in time")
}

// api is a client with the administrator's certificate.
type api struct {
	server string
	http   http.Client
}

func connect() (*api, error) {
	data, err := os.ReadFile(kubeconfig)
	if err != nil {
		return nil, err
	}
	var config struct {
		Clusters []struct {
			Cluster struct {
				Server string `json:"server"`
				CA     string `json:"certificate-authority-data"`
			} `json:"cluster"`
		} `json:"clusters"`
		Users []struct {
			User struct {
				Cert string `json:"client-certificate-data"`
				Key  string `json:"client-key-data"`
			} `json:"user"`
		} `json:"users"`
	}
	if err := yaml.Unmarshal(data, &config); err != nil || len(config.Clusters) == 0 || len(config.Users) == 0 {
		return nil, fmt.Errorf("read %s: %v", kubeconfig, err)
	}
	ca, err := base64.StdEncoding.DecodeString(config.Clusters[0].Cluster.CA)
	if err != nil {
		return nil, err
	}
	cert, err := base64.StdEncoding.DecodeString(config.Users[0].User.Cert)
	if err != nil {
		return nil, err
	}
	key, err := base64.StdEncoding.DecodeString(config.Users[0].User.Key)
	if err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca)
	return &api{
		server: config.Clusters[0].Cluster.Server,
		http: http.Client{
			Timeout:   2 * time.Second,
			Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{pair}}},
		},
	}, nil
}

func (a *api) get(path string, into any) bool {
	response, err := a.http.Get(a.server + path)
	if err != nil {
		return false
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		return false
	}
	return into == nil || json.Unmarshal(body, into) == nil
}

func (a *api) ready() bool { return a.get("/readyz", nil) }

func (a *api) nodesReady() int {
	var list struct {
		Items []struct {
			Status struct {
				Conditions []condition `json:"conditions"`
			} `json:"status"`
		} `json:"items"`
	}
	if !a.get("/api/v1/nodes", &list) {
		return 0
	}
	ready := 0
	for _, item := range list.Items {
		if holds(item.Status.Conditions, "Ready") {
			ready++
		}
	}
	return ready
}

func (a *api) dnsAvailable() bool {
	var deployment struct {
		Spec struct {
			Replicas int `json:"replicas"`
		} `json:"spec"`
		Status struct {
			AvailableReplicas int `json:"availableReplicas"`
		} `json:"status"`
	}
	return a.get("/apis/apps/v1/namespaces/kube-system/deployments/coredns", &deployment) &&
		deployment.Spec.Replicas > 0 && deployment.Status.AvailableReplicas >= deployment.Spec.Replicas
}

type condition struct {
	Type   string `json:"type"`
	Status string `json:"status"`
}

func holds(conditions []condition, kind string) bool {
	for _, c := range conditions {
		if c.Type == kind {
			return c.Status == "True"
		}
	}
	return false
}
