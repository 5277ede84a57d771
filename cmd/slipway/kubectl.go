package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/kubectl/pkg/cmd"
	cmdutil "k8s.io/kubectl/pkg/cmd/util"
)

func newKubectlCommand(p *program) *cobra.Command {
	var flags clusterFlags
	command := &cobra.Command{
		Use:   "kubectl -f FILE -- ARGUMENTS",
		Short: "kubectl as you know it, through SSH",
		Long: `Run kubectl against the cluster. It is part of this binary, and reaches the API server
through SSH to any control plane: nothing else needs a route to the hosts.`,
		Example: "  slipway kubectl -f try.yaml -- get nodes -o wide",
		RunE: func(command *cobra.Command, args []string) error {
			return p.kubectl(command.Context(), flags, args)
		},
	}
	flags.add(command)
	return command
}

func (p *program) kubectl(ctx context.Context, wanted clusterFlags, args []string) error {
	s, err := p.openAPI(ctx, wanted)
	if err != nil {
		return err
	}
	defer s.Close()
	listener, port, err := listenLocal(0)
	if err != nil {
		return err
	}
	serving, stop := context.WithCancel(ctx)
	defer stop()
	go func() { _ = s.API().Forward(serving, listener) }()
	server := fmt.Sprintf("https://127.0.0.1:%d", port)
	leaf, err := s.AdminLeaf(kubectlValidity)
	if err != nil {
		return err
	}
	flags := genericclioptions.NewConfigFlags(true).WithWrapConfigFn(s.API().Through(server, leaf.Cert, leaf.Key))
	flags.APIServer = &server
	err = runKubectl(flags, args)
	if ctx.Err() != nil {
		return &exitError{exitInterrupted}
	}
	return err
}

// kubectlValidity is how long the certificate of one kubectl command lives: longer than
// a `kubectl logs --follow` that somebody leaves open over a day. It stays in memory.
const kubectlValidity = 24 * time.Hour

// runKubectl runs kubectl's own command in this process. It ends by a call of ours and not
// of os.Exit, so that what was opened for it is closed again.
func runKubectl(flags *genericclioptions.ConfigFlags, args []string) (err error) {
	// Nobody's own kubeconfig has a say here.
	if err := os.Setenv("KUBECONFIG", os.DevNull); err != nil {
		return err
	}
	type ended struct{ code int }
	defer func() {
		switch end := recover().(type) {
		case nil:
		case ended:
			err = &exitError{end.code}
		default:
			panic(end)
		}
	}()
	cmdutil.BehaviorOnFatal(func(message string, code int) {
		if message != "" {
			_, _ = os.Stderr.WriteString(withNewline(message))
		}
		panic(ended{code})
	})
	command := cmd.NewDefaultKubectlCommandWithArgs(cmd.KubectlOptions{
		Arguments:   append([]string{"kubectl"}, args...),
		ConfigFlags: flags,
		IOStreams:   genericiooptions.IOStreams{In: os.Stdin, Out: os.Stdout, ErrOut: os.Stderr},
	})
	command.SetArgs(args)
	if err := command.Execute(); err != nil {
		return &exitError{exitFailed} // kubectl has said why
	}
	return nil
}

func withNewline(message string) string {
	if message[len(message)-1] == '\n' {
		return message
	}
	return message + "\n"
}
