package main

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/slipway-k8s/slipway/certs"
	"github.com/slipway-k8s/slipway/certs/mint"
	"github.com/slipway-k8s/slipway/manifests"
)

// proxyPort is where `slipway proxy` listens unless told otherwise, and so what a
// kubeconfig made here points to.
const proxyPort = 8443

func newKubeconfigCommand() *cobra.Command {
	var (
		flags clusterFlags
		out   string
		port  int
		via   string
	)
	command := &cobra.Command{
		Use:   "kubeconfig -f FILE --out FILE",
		Short: "Write a kubeconfig",
		Long: `Write a kubeconfig for an administrator (group kubeadm:cluster-admins), with a
certificate of its own. It points to the local port of 'slipway proxy', or with
--via endpoint straight to the API's endpoint, for machines that have a route to it.`,
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			if via != "proxy" && via != "endpoint" {
				return usagef("--via %s: must be proxy or endpoint", via)
			}
			s, err := load(flags)
			if err != nil {
				return err
			}
			defer s.Close()
			if err := s.connectAPI(command.Context()); err != nil {
				return err
			}
			data, err := s.kubeconfigVia(via, port)
			if err != nil {
				return err
			}
			if out == "" {
				_, err = command.OutOrStdout().Write(data)
				return err
			}
			if err := writePrivate(out, data); err != nil {
				return err
			}
			fmt.Fprintf(command.ErrOrStderr(), "wrote %s\n", out)
			return nil
		},
	}
	flags.add(command)
	command.Flags().StringVar(&out, "out", "", "where to write it (standard output unless given)")
	command.Flags().StringVar(&via, "via", "proxy", "what it points to: proxy (the local port of slipway proxy) or endpoint")
	command.Flags().IntVar(&port, "port", proxyPort, "the local port of slipway proxy")
	return command
}

// kubeconfigVia is an administrator's kubeconfig for one of the ways to the API.
func (s *session) kubeconfigVia(via string, port int) ([]byte, error) {
	leaf, err := s.adminLeaf(time.Duration(s.cluster.Certificates.Validity))
	if err != nil {
		return nil, err
	}
	if via == "proxy" {
		return s.tunnelKubeconfig(leaf, port), nil
	}
	server, err := manifests.EndpointURL(s.cluster)
	if err != nil {
		return nil, err
	}
	return manifests.Kubeconfig(server, s.keys.pki.CA.Cert, administrator, leaf.Cert, leaf.Key, s.cluster.Name), nil
}

// administrator is the user of kubeadm's admin.conf.
const administrator = "kubernetes-admin"

func (s *session) tunnelKubeconfig(leaf certs.Leaf, port int) []byte {
	server := fmt.Sprintf("https://127.0.0.1:%d", port)
	return manifests.TunnelKubeconfig(server, s.api.ServerName(), s.keys.pki.CA.Cert, administrator, leaf.Cert, leaf.Key, s.cluster.Name)
}

// adminLeaf is a fresh certificate of an administrator.
func (s *session) adminLeaf(validity time.Duration) (certs.Leaf, error) {
	entry, _ := certs.Find(certs.Admin)
	leaf, err := mint.Leaf(s.keys.pki, entry.Spec(s.cluster, certs.Host{}), validity, time.Now())
	if err != nil {
		return certs.Leaf{}, fmt.Errorf("mint an administrator's certificate: %w", err)
	}
	return leaf, nil
}

// writePrivate writes a file that only its owner may read, whole or not at all.
func writePrivate(path string, data []byte) error {
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	defer os.Remove(file.Name())
	if _, err = file.Write(data); err == nil {
		err = file.Sync()
	}
	if closing := file.Close(); err == nil {
		err = closing
	}
	if err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}
