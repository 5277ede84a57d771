package main

import (
	"errors"
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

// kubeconfigFlags are the command's flags.
type kubeconfigFlags struct {
	clusterFlags
	out     string
	merge   bool
	context string
	force   bool
	via     string
	port    int
}

func newKubeconfigCommand() *cobra.Command {
	var flags kubeconfigFlags
	command := &cobra.Command{
		Use:   "kubeconfig -f FILE [--merge | --out FILE]",
		Short: "Show a kubeconfig, or put it into yours",
		Long: `Make a kubeconfig for an administrator (group kubeadm:cluster-admins), with a
certificate of its own. It points to the local port of 'slipway proxy', or with
--via endpoint straight to the API's endpoint, for machines that have a route to it.

It is printed; --merge puts it into your own kubeconfig (of KUBECONFIG, or ~/.kube/config),
--out into the file named. What such a file has of other clusters stays, as do comments and
the current context.`,
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			if flags.via != "proxy" && flags.via != "endpoint" {
				return usagef("--via %s: must be proxy or endpoint", flags.via)
			}
			if flags.merge && flags.out != "" {
				return usagef("--merge, --out: one file is written: say one of them")
			}
			s, err := openAPI(command.Context(), flags.clusterFlags)
			if err != nil {
				return err
			}
			defer s.Close()
			data, err := s.kubeconfigVia(flags.via, flags.port, flags.context)
			if err != nil {
				return err
			}
			return s.giveKubeconfig(command, flags, data)
		},
	}
	flags.add(command)
	command.Flags().StringVar(&flags.out, "out", "", "put it into this file")
	command.Flags().BoolVar(&flags.merge, "merge", false, "put it into your own kubeconfig")
	command.Flags().StringVar(&flags.context, "context", "", "what to call cluster, user and context there (default: NAME, and twice kubernetes-admin@NAME)")
	command.Flags().BoolVar(&flags.force, "force", false, "replace what is there by these names, though it leads to another cluster")
	command.Flags().StringVar(&flags.via, "via", "proxy", "what it points to: proxy (the local port of slipway proxy) or endpoint")
	command.Flags().IntVar(&flags.port, "port", proxyPort, "the local port of slipway proxy")
	_ = command.MarkFlagFilename("out")
	return command
}

// giveKubeconfig prints a kubeconfig or puts it into a file, as the flags say.
func (s *session) giveKubeconfig(command *cobra.Command, flags kubeconfigFlags, data []byte) error {
	file := flags.out
	if flags.merge {
		var err error
		if file, err = ownKubeconfig(namesInKubeconfig(s.cluster.Name, flags.context).cluster); err != nil {
			return err
		}
	}
	if file == "" {
		_, err := command.OutOrStdout().Write(data)
		return err
	}
	current, err := mergeInto(callerOfSudo(), file, data, s.keys.pki.CA.Cert, flags.force)
	if err != nil {
		return err
	}
	out, ours := command.ErrOrStderr(), namesInKubeconfig(s.cluster.Name, flags.context).context
	fmt.Fprintf(out, "wrote %s: context %s\n", file, ours)
	if current != ours {
		fmt.Fprintf(out, "the current context is %s still; to change that: kubectl config use-context %s --kubeconfig %s\n", current, ours, file)
	}
	return nil
}

// kubeconfigNames are what the entries of a kubeconfig are called.
type kubeconfigNames struct{ cluster, user, context string }

// namesInKubeconfig are the names of a cluster's entries: all as chosen, or made of the
// cluster's name. The user's has it in it too, since kubeadm's kubernetes-admin is every
// cluster's.
func namesInKubeconfig(clusterName, chosen string) kubeconfigNames {
	if chosen != "" {
		return kubeconfigNames{chosen, chosen, chosen}
	}
	own := administrator + "@" + clusterName
	return kubeconfigNames{clusterName, own, own}
}

// kubeconfigVia is an administrator's kubeconfig for one of the ways to the API; context is
// what to call it, if anything else than usual.
func (s *session) kubeconfigVia(via string, port int, context string) ([]byte, error) {
	leaf, err := s.adminLeaf(time.Duration(s.cluster.Certificates.Validity))
	if err != nil {
		return nil, err
	}
	names := namesInKubeconfig(s.cluster.Name, context)
	to := manifests.OperatorKubeconfig{
		Cluster: names.cluster, User: names.user, Context: names.context,
		CA: s.keys.pki.CA.Cert, Cert: leaf.Cert, Key: leaf.Key,
	}
	if via == "proxy" {
		to.Server, to.ServerName = fmt.Sprintf("https://127.0.0.1:%d", port), s.api.ServerName()
	} else if to.Server, err = manifests.EndpointURL(s.cluster); err != nil {
		return nil, err
	}
	return to.Render(), nil
}

// administrator is the user of kubeadm's admin.conf.
const administrator = "kubernetes-admin"

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
	return writeOwned(path, data, func(*os.File) error { return nil })
}

// writeOwned is writePrivate for a file that is given to its owner before it takes its place.
func writeOwned(path string, data []byte, give func(*os.File) error) error {
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	defer os.Remove(file.Name())
	if _, err = file.Write(data); err == nil {
		err = errors.Join(give(file), file.Sync())
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
