package main

import (
	"context"
	"os"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/kubectl/pkg/cmd"
	cmdutil "k8s.io/kubectl/pkg/cmd/util"
)

func newKubectlCommand() *cobra.Command {
	var flags clusterFlags
	command := &cobra.Command{
		Use:   "kubectl -f FILE -- ARGUMENTS",
		Short: "kubectl as you know it, through SSH",
		Long: `Run kubectl against the cluster. It is part of this binary, and reaches the API server
through SSH to any control plane: nothing else needs a route to the hosts.`,
		Example: "  slipway kubectl -f try.yaml -- get nodes -o wide",
		RunE: func(command *cobra.Command, args []string) error {
			return runKubectl(command.Context(), flags, args)
		},
	}
	flags.add(command)
	return command
}

func runKubectl(ctx context.Context, flags clusterFlags, args []string) error {
	s, err := load(flags)
	if err != nil {
		return err
	}
	defer s.Close()
	if err := s.connectAPI(ctx); err != nil {
		return err
	}
	listener, port, err := listenLocal(0)
	if err != nil {
		return err
	}
	serving, stop := context.WithCancel(ctx)
	defer stop()
	go func() { _ = s.api.Forward(serving, listener) }()
	file, err := s.temporaryKubeconfig(port)
	if err != nil {
		return err
	}
	defer os.Remove(file)
	return kubectl(file, args)
}

// kubectl runs kubectl's own command in this process. It ends by a call of ours and not
// of os.Exit, so that what was opened for it is closed again.
func kubectl(kubeconfig string, args []string) (err error) {
	if err := os.Setenv("KUBECONFIG", kubeconfig); err != nil {
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
		Arguments: append([]string{"kubectl"}, args...),
		IOStreams: genericiooptions.IOStreams{In: os.Stdin, Out: os.Stdout, ErrOut: os.Stderr},
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
