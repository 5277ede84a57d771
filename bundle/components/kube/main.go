// Command kube is all of Kubernetes' programs in one: which of them runs is said by the
// name it was started under, as through a symbolic link, or else by its first argument.
// One binary instead of six is a quarter of the bytes to ship, to store and to read.
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	_ "time/tzdata" // CronJobs have time zones, and an image has no zoneinfo

	"github.com/spf13/cobra"
	_ "k8s.io/client-go/plugin/pkg/client/auth" // kubectl's login plugins
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register"          // --logging-format=json
	_ "k8s.io/component-base/metrics/prometheus/clientgo" // client-go's own metrics
	_ "k8s.io/component-base/metrics/prometheus/version"  // kubernetes_build_info
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	proxy "k8s.io/kubernetes/cmd/kube-proxy/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"
)

// program is one of the commands that this binary can be.
type program struct {
	name string
	run  func() int
}

// programs makes each command only when it is the one that runs: making one sets flags
// and feature gates for the whole process.
var programs = []program{
	{"kube-apiserver", server(apiserver.NewAPIServerCommand)},
	{"kube-controller-manager", server(controllermanager.NewControllerManagerCommand)},
	{"kube-scheduler", server(func() *cobra.Command { return scheduler.NewSchedulerCommand() })},
	{"kube-proxy", server(proxy.NewProxyCommand)},
	{"kubelet", server(func() *cobra.Command { return kubelet.NewKubeletCommand(context.Background()) })},
	{"kubectl", kubectl},
}

func server(command func() *cobra.Command) func() int {
	return func() int { return cli.Run(command()) }
}

func main() {
	if run, found := find(filepath.Base(os.Args[0])); found {
		os.Exit(run())
	}
	if len(os.Args) < 2 {
		usage("")
	}
	run, found := find(os.Args[1])
	if !found {
		usage(os.Args[1])
	}
	os.Args = os.Args[1:] // the program sees its own name first, as if linked
	os.Exit(run())
}

func find(name string) (func() int, bool) {
	for _, p := range programs {
		if p.name == name {
			return p.run, true
		}
	}
	return nil, false
}

func usage(unknown string) {
	names := make([]string, 0, len(programs))
	for _, p := range programs {
		names = append(names, p.name)
	}
	if unknown != "" {
		fmt.Fprintf(os.Stderr, "kube: no program is called %q\n", unknown)
	}
	fmt.Fprintf(os.Stderr, "usage: kube PROGRAM [ARGUMENT...]\nprograms: %s\n", strings.Join(names, ", "))
	os.Exit(2)
}
